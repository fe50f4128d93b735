/**
 * The table of section 8.3 as its fifth differences, each a number of base 64: five bits a digit, least significant
 * first, 32 added to all digits but the last; 2 d for d, 2 |d| - 1 for a negative one. Written by normal-table.py.
 */

import { crc32 } from "../checksums.js";

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const DIFFERENCES =
  "omjhtlD1gky21Msuhy1gT94ny71MownxvlDnBjBdVZTNRRAXFFFNBJEPCBLEFCPSV50mnBk2q3Dtil5D4rhpBpBbnBRbNZFbETNB" +
  "DXOTBBHBBJGJBEJri8nBw6r5D9kn7Du33pBrBbpBHtBBZNVGjBMTLENFDBLEHFGPKLI_zyoB-rw7D91s9DwovqBtBbfjBJfNNRNF" +
  "NLCXMVEFNOXKHCPQRlrqpBuy49D991_D0horBpBZpBXVRfBRXERLDJBNDGXOPCDBJMT1tjqBu7kgEtqjiEioisBxBVvBTXZJdBXB" +
  "RJARCRILHCJELGLEDt_9qBoy1iEjm1kEy-9sBpBtBRtBFlBJVHZEbEPBRITINFIRINMTK_j6rBskrlEn_rnEkq7tBrBjBdjBRZTP" +
  "RJNLJFLDJANEJDBDALIHnh4sByjmoEjooqE0x6uB1BdpBRnBJdJRTDNPCTERGREFHBBDBFB_83tBsgnrE5wqtEk57vBjBnBhBlBL" +
  "lBJTXBTPCTAPBFFFFAFHEFDBn_5uB8yuuEpyzwEgr_wB5BhBfjBZVRZNFbALPDBVKPALGJFACLBjv-vB8x9xEnjk0E8slyBpBrBj" +
  "BXpBJdNRVCZHAXIXIHRMLLORCDAt3lxBk801E1i93E0quzB1BfvBRpBPZNbChBGXBNDJDHHADJBCJCHxiwyBg015Eh0_7E4v60B1" +
  "BnBlBfhBPfJXTAZDNFHJFFFAPGDLCCNz-9zBuih-ElgtgFgqq2B9BfxBTvBFjBNVPFbETHBPDFBLBBFDDAFv8v1B854iF75mlFiq" +
  "-3BvBpBzBTjBfLbXAdHJJRGXKZKHPMPBCJCvvm3Bu2-nF1-uqF2l35BxB3BZ1BJrBPZNPVHRARNKdKHPGHFBHGHlwi5Bki1tFx4n" +
  "wF8017BxBrBzBbjBVfTRRLVFJRBJJAPADHBHGRIr8k7Bw3-zFhk02F0369BzB3BlBlBlBNtBHXPZEhBIZCPDJARMVEBJCJ16u9Bi" +
  "s_6F9239F40ngCtB3BtBflBdbPdLRPNHRCTFAPADPIFNGF38hgCi07iG1n3lGqg-iC7BhCZ1BhBXdXZNRLXBNNDHNBFDLCHDBBzh" +
  "gjC0v5rGj34uGo5_lCvBlCd7BTpBXZTZJVFbIXJAJLHGPFIVKH59rmCq_g2Gtpk5Gg5vpCjCxB3BlBrBTtBNbTRLXFRAXAHJHDDH" +
  "DFBA_lpqCmi9hHv_klH40xtC1BpClBvBrBddfRXTRJVFJTAJLBJBNINBBx88uC6k9vHzqqzHg1qyCrC9BrB5BfrBVnBPZPdElBIX" +
  "JDNDNAFLCNILjvu0Cwz3gIj7qkIqqi4CtC5B5B1BfzBRtBJhBVJXPFVDLPGZKPHGTIJrnp7Cgxu1Ir6o5Iwlk_C3C5BlCpBtBvBV" +
  "vBLfXNZFZCdGXCJRIPBDJAxr_jD-24vJ3o7zJgzioDpCtC9B1BnB5BTvBRhBTRdAhBAPPHDRANBFHBNjswvD2-0yKpnh3Kis9zDt" +
  "CzChCzB1BxBbxBTblBFdPNRNJHRDJDPEPGP_44_D6x4jMz8voM68wkE1C9C5BjC3BxBfzBTtBHnBNVNVHTFLNDLDPKVBt6-4Egx0" +
  "vOtx20O81h-EjDvC7CzBpChB_BdlBlBVfRXVLRRFLXIPRINLGz4-mGmmw5S3xv-S4g_rGnDjD5C7BxCtB5BlB1BZjBfZXZTLbPHP" +
  "XATLFPP";

/** @type {Float64Array|undefined} */
let table;

/** @returns {Float64Array} T[0 … 1024] of section 8.3 */
export function normalTable() {
  if (table) return table;
  const values = new Float64Array(1025);
  let at = 0;
  for (let i = 0; i < values.length; i++) {
    let number = 0;
    for (let unit = 1, digit = 32; digit & 32; unit *= 32) {
      digit = DIGITS.indexOf(DIFFERENCES[at++]);
      number += (digit & 31) * unit;
    }
    values[i] = number % 2 ? -(number + 1) / 2 : number / 2;
  }
  for (let order = 0; order < 5; order++) for (let i = 1; i < values.length; i++) values[i] += values[i - 1];
  // The number that the specification gives for the table: a mistake here would make wrong weights.
  if (crc32(new Uint8Array(Uint32Array.from(values).buffer)) !== 0xafa18d14) throw new Error("the table is damaged");
  return (table = values);
}
