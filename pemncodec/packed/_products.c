/* Products of packed weights with vectors: a mask over a prototype, or over kept values, read as it is stored.

   Row r, column c of the weights has bit r * columns + c of the mask. In a tiled layer the value is that of the
   prototype at (phase + r * columns + c) mod period, and a zero bit stands for zero, for the negated value, or for a
   second prototype's; of kept values the one bits have their values in order. Inputs, sums and outputs are float32.

   The caller says how many rows and columns there are; every index is checked here against the lengths of the buffers.
   Elements are summed in an order that depends on the function and the instruction set only. */

#if !defined(WITHOUT_PYTHON) /* with it, only the products: a check runs them by themselves, on other machines too */
#define PY_SSIZE_T_CLEAN
#if defined(__unix__) || defined(__APPLE__)
#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE /* RTLD_DEFAULT */
#endif
#include <dlfcn.h>
#endif
#include <Python.h>
#endif
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned char Byte;

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")
#define COUNT_ZEROS(word) __builtin_ctzll(word)
#define PREFETCH(address) __builtin_prefetch(address)
#define PREFETCH_NEXT(address) __builtin_prefetch(address, 0, 2) /* to the second-level cache */
#else
#define INLINE static __forceinline
#define UNROLL
#define PREFETCH(address) (void)(address)
#define PREFETCH_NEXT(address) (void)(address)
INLINE int COUNT_ZEROS(uint64_t word) {
    int count = 0;
    while (!(word >> count & 1)) count++;
    return count;
}
#endif
#if defined(__clang__)
#undef UNROLL
#define UNROLL _Pragma("unroll")
#endif

enum { ZERO, NEGATED, SECOND, KEPT };
enum { NEAR, DENSE, SPARSE }; /* the order of summation, which the caller chooses */
enum { SPARE = 64, ROWS_SPARSE = 48 };
/* WIDE registers of vectors times a tile of rows; STRETCH, a multiple of SPARE, and CACHED: floats in a cache. */
enum { WIDE = 2, MOST_TILE = 12, BLOCK = 192, VECTORS = 384, STRETCH = 640, CACHED = 1 << 17, WEIGHTS = 9216, VECTORS_AMX = 512 };

/* Columns are padded to `width`, a multiple of SPARE: there bits and values are zero. */
typedef struct {
    const Byte *bits;
    const float *values, *others;
} Row;

typedef struct {
    const float *values;
    int64_t length, period, phase;
} Tile;

typedef struct {
    int kind, order, half; /* of bfloat16 */
    float *out;
    const float *x;
    int64_t batch, vectors, rows, columns, width, begin, end;
    const Byte *bits;
    int64_t size; /* bytes of bits */
    Tile first, second;
    const int64_t *starts; /* of kept values, by row */
    float scale;
    const float *bias; /* of each row, or NULL */
    int64_t group; /* vectors in lanes, of SPARSE */
    int64_t apart; /* rows that begin near each other in the prototype are so far apart */
} Product;

typedef struct {
    Byte *bits;     /* of the rows that are taken together */
    float *values;  /* of twice as many rows */
    float *weights; /* WEIGHTS, of the rows of a tile */
    float *sums;    /* of vectors in lanes: (BLOCK + MOST_TILE) × VECTORS at most */
} Scratch;

INLINE float result(const Product *p, float sum, int64_t row) {
    return p->bias ? sum * p->scale + p->bias[row] : sum * p->scale;
}

/* The values of a prototype for a row, straight from it where they lie in one piece. */
static const float *read_tile(const Tile *tile, const Product *p, int64_t row, float *copy) {
    int64_t at = (int64_t)(((uint64_t)tile->phase + (uint64_t)row * (uint64_t)p->columns) % (uint64_t)tile->period);
    if (p->columns == p->width && at + p->width <= tile->length) return tile->values + at;
    for (int64_t done = 0; done < p->columns;) {
        int64_t count = tile->period - at < p->columns - done ? tile->period - at : p->columns - done;
        memcpy(copy + done, tile->values + at, (size_t)count * sizeof(float));
        done += count;
        at = 0;
    }
    memset(copy + p->columns, 0, (size_t)(p->width - p->columns) * sizeof(float));
    return copy;
}

static const Byte *read_bits(const Product *p, int64_t row, Byte *copy) {
    int64_t bit = row * p->columns, at = bit / 8, shift = bit % 8;
    if (p->columns == p->width) return p->bits + at; /* a multiple of 64 */
    int64_t bytes = p->width / 8, whole = (p->columns + 7) / 8;
    for (int64_t i = 0; i < whole; i++) {
        unsigned two = p->bits[at + i] | (at + i + 1 < p->size ? (unsigned)p->bits[at + i + 1] << 8 : 0);
        copy[i] = (Byte)(two >> shift);
    }
    if (p->columns % 8) copy[whole - 1] &= (Byte)((1u << p->columns % 8) - 1);
    memset(copy + whole, 0, (size_t)(bytes - whole));
    return copy;
}

/* Memory for it, in one piece, which begins at `sums`; NULL there if there is none. */
static Scratch scratch_for(const Product *p) {
    size_t wide = (size_t)p->width, most = (size_t)(p->batch < VECTORS ? p->batch : VECTORS);
    size_t sums = p->order == NEAR ? 0 : p->half ? BLOCK * ((size_t)VECTORS_AMX + 16) : (BLOCK + MOST_TILE) * most, weights = WEIGHTS;
    size_t rows = p->order == NEAR ? 4 : p->order == DENSE ? MOST_TILE : ROWS_SPARSE, values = 2 * rows * (wide + SPARE);
    float *all = malloc((sums + weights + values) * sizeof(float) + rows * wide / 8);
    Scratch scratch = {NULL, NULL, NULL, NULL};
    if (all) scratch = (Scratch){(Byte *)(all + sums + weights + values), all + sums + weights, all + sums, all};
    return scratch;
}

static void read_row(const Product *p, int64_t row, Scratch *scratch, int k, Row *out) {
    out->bits = read_bits(p, row, scratch->bits + k * (p->width / 8));
    float *copy = scratch->values + 2 * k * (p->width + SPARE);
    if (p->kind == KEPT) {
        int64_t start = p->starts[row], left;
        if (start < 0 || start > p->first.length) start = p->first.length;
        left = p->first.length - start;
        out->values = out->others = p->first.values + start;
        if (left < p->columns + SPARE) { /* whatever the bits are, no more than a row of values is read */
            if (left > p->columns) left = p->columns;
            memcpy(copy, out->values, (size_t)left * sizeof(float));
            memset(copy + left, 0, (size_t)(p->width + SPARE - left) * sizeof(float));
            out->values = copy;
        }
        return;
    }
    out->values = out->others = read_tile(&p->first, p, row, copy);
    if (p->kind == SECOND) out->others = read_tile(&p->second, p, row, copy + p->width + SPARE);
}

/* --- plain C ------------------------------------------------------------------------------------------------ */

#define LANES 8
#define TILE 2
#define UNROLLED /* the registers are not those of the machine: unrolled, they would take half a minute to compile */
#define FEW 2 /* registers of vectors in lanes, at most */
#define NAME(x) x##_plain
typedef struct {
    float f[8];
} V_plain;
#define V V_plain
#define EACH for (int k = 0; k < 8; k++)
INLINE V none_plain(void) {
    V out;
    EACH out.f[k] = 0;
    return out;
}
INLINE V load_plain(const float *from) {
    V out;
    memcpy(&out, from, sizeof out);
    return out;
}
INLINE void store_plain(float *to, V v) { memcpy(to, &v, sizeof v); }
INLINE V all_plain(float value) {
    V out;
    EACH out.f[k] = value;
    return out;
}
INLINE V add_plain(V a, V b) {
    EACH a.f[k] += b.f[k];
    return a;
}
INLINE V fma_plain(V a, V b, V sum) {
    EACH sum.f[k] += a.f[k] * b.f[k];
    return sum;
}
INLINE float sum_plain(V v) {
    return ((v.f[0] + v.f[4]) + (v.f[2] + v.f[6])) + ((v.f[1] + v.f[5]) + (v.f[3] + v.f[7]));
}
INLINE V chosen_plain(const Byte *bits, V one, V zero) {
    uint32_t a[8], b[8];
    memcpy(a, &one, sizeof a);
    memcpy(b, &zero, sizeof b);
    EACH {
        uint32_t mask = 0u - (uint32_t)(*bits >> k & 1);
        a[k] = (a[k] & mask) | (b[k] & ~mask);
    }
    memcpy(&one, a, sizeof a);
    return one;
}
INLINE V negated_plain(const Byte *bits, V v) {
    uint32_t a[8];
    memcpy(a, &v, sizeof a);
    EACH a[k] ^= (uint32_t)(~*bits >> k & 1) << 31;
    memcpy(&v, a, sizeof a);
    return v;
}
INLINE V kept_plain(const Byte *bits, const float **kept) {
    V out = none_plain();
    EACH if (*bits >> k & 1) out.f[k] = *(*kept)++;
    return out;
}
INLINE V mul_plain(V a, V b) {
    EACH a.f[k] *= b.f[k];
    return a;
}
#define v_none none_plain
#define v_mul mul_plain
#define v_load load_plain
#define v_store store_plain
#define v_all all_plain
#define v_add add_plain
#define v_fma fma_plain
#define v_sum sum_plain
#define v_zero(bits, i, p) chosen_plain(bits, load_plain(p), none_plain())
#define v_negated(bits, i, p) negated_plain(bits, load_plain(p))
#define v_second(bits, i, p, q) chosen_plain(bits, load_plain(p), load_plain(q))
#define v_kept(bits, i, kept) kept_plain(bits, kept)
#include "_products_body.h"
#undef v_load
#undef v_store
#undef v_all
#undef v_add
#undef v_fma
#undef v_sum
#undef v_zero
#undef v_negated
#undef v_second
#undef v_kept

/* --- AVX2 and AVX-512 ---------------------------------------------------------------------------------------- */

#if defined(__x86_64__) && defined(__GNUC__)
#define HAS_X86 1
#include <cpuid.h>
#include <immintrin.h>

static int32_t places[256][8]; /* of the kept values of eight columns among themselves, by their bits */

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,bmi,popcnt"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,bmi,popcnt")
#endif
#define LANES 8
#define TILE 6
#define FEW 13
#define UNROLLED UNROLL
#define NAME(x) x##_avx2
#define V __m256
INLINE __m256 bits_avx2(const Byte *bits) {
    const __m256i each = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    return _mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32(*bits), each), each));
}
INLINE __m256 negated_avx2(const Byte *bits, __m256 v) {
    return _mm256_xor_ps(v, _mm256_andnot_ps(bits_avx2(bits), _mm256_set1_ps(-0.0f)));
}
INLINE __m256 kept_avx2(const Byte *bits, const float **kept) {
    __m256i where = _mm256_loadu_si256((const __m256i *)places[*bits]);
    __m256 found = _mm256_permutevar8x32_ps(_mm256_loadu_ps(*kept), where);
    *kept += __builtin_popcount(*bits);
    return _mm256_and_ps(found, bits_avx2(bits));
}
INLINE float sum_avx2(__m256 v) {
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_shuffle_ps(s, s, 1)));
}
INLINE void turn_avx2(__m256 *t) {
    __m256 a[8], b[8];
    UNROLL for (int i = 0; i < 8; i += 2) {
        a[i] = _mm256_unpacklo_ps(t[i], t[i + 1]);
        a[i + 1] = _mm256_unpackhi_ps(t[i], t[i + 1]);
    }
    UNROLL for (int i = 0; i < 8; i += 4) UNROLL for (int j = 0; j < 2; j++) {
        b[i + 2 * j] = _mm256_shuffle_ps(a[i + j], a[i + j + 2], 0x44);
        b[i + 2 * j + 1] = _mm256_shuffle_ps(a[i + j], a[i + j + 2], 0xee);
    }
    UNROLL for (int i = 0; i < 4; i++) {
        t[i] = _mm256_permute2f128_ps(b[i], b[i + 4], 0x20);
        t[i + 4] = _mm256_permute2f128_ps(b[i], b[i + 4], 0x31);
    }
}
#define v_none _mm256_setzero_ps
#define v_turn turn_avx2
#define v_mul _mm256_mul_ps
#define v_load _mm256_loadu_ps
#define v_store _mm256_storeu_ps
#define v_all _mm256_set1_ps
#define v_add _mm256_add_ps
#define v_fma _mm256_fmadd_ps
#define v_sum sum_avx2
#define v_zero(bits, i, p) _mm256_and_ps(bits_avx2(bits), _mm256_loadu_ps(p))
#define v_negated(bits, i, p) negated_avx2(bits, _mm256_loadu_ps(p))
#define v_second(bits, i, p, q) _mm256_blendv_ps(_mm256_loadu_ps(q), _mm256_loadu_ps(p), bits_avx2(bits))
#define v_kept(bits, i, kept) kept_avx2(bits, kept)
#include "_products_body.h"
#undef v_load
#undef v_store
#undef v_all
#undef v_add
#undef v_fma
#undef v_sum
#undef v_zero
#undef v_negated
#undef v_second
#undef v_kept
#if defined(__clang__)
#pragma clang attribute pop
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,fma,bmi,popcnt"))), apply_to = function)
#else
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl,fma,bmi,popcnt")
#endif
#define LANES 16
#define TILE 12
#define FEW 13
#define UNROLLED UNROLL
#define NAME(x) x##_avx512
#define V __m512
INLINE __mmask16 bits_avx512(const Byte *bits) {
    uint16_t found;
    memcpy(&found, bits, sizeof found);
    return found;
}
INLINE __m512 negated_avx512(const Byte *bits, __m512 v) {
    __m512i words = _mm512_castps_si512(v);
    return _mm512_castsi512_ps(
        _mm512_mask_xor_epi32(words, (__mmask16)~bits_avx512(bits), words, _mm512_set1_epi32(INT32_MIN)));
}
INLINE __m512 kept_avx512(const Byte *bits, const float **kept) {
    __mmask16 mask = bits_avx512(bits);
    __m512 found = _mm512_maskz_expandloadu_ps(mask, *kept);
    *kept += __builtin_popcount(mask);
    return found;
}
INLINE void turn_avx512(__m512 *t) {
    __m512 a[16], b[16];
    UNROLL for (int i = 0; i < 16; i += 2) {
        a[i] = _mm512_unpacklo_ps(t[i], t[i + 1]);
        a[i + 1] = _mm512_unpackhi_ps(t[i], t[i + 1]);
    }
    UNROLL for (int i = 0; i < 16; i += 4) UNROLL for (int j = 0; j < 2; j++) {
        b[i + 2 * j] = _mm512_shuffle_ps(a[i + j], a[i + j + 2], 0x44);
        b[i + 2 * j + 1] = _mm512_shuffle_ps(a[i + j], a[i + j + 2], 0xee);
    }
    UNROLL for (int j = 0; j < 4; j++) {
        __m512 even = _mm512_shuffle_f32x4(b[j], b[4 + j], 0x88), odd = _mm512_shuffle_f32x4(b[j], b[4 + j], 0xdd);
        __m512 more = _mm512_shuffle_f32x4(b[8 + j], b[12 + j], 0x88);
        __m512 last = _mm512_shuffle_f32x4(b[8 + j], b[12 + j], 0xdd);
        t[j] = _mm512_shuffle_f32x4(even, more, 0x88);
        t[4 + j] = _mm512_shuffle_f32x4(odd, last, 0x88);
        t[8 + j] = _mm512_shuffle_f32x4(even, more, 0xdd);
        t[12 + j] = _mm512_shuffle_f32x4(odd, last, 0xdd);
    }
}
#define v_none _mm512_setzero_ps
#define v_turn turn_avx512
#define v_mul _mm512_mul_ps
#define v_load _mm512_loadu_ps
#define v_store _mm512_storeu_ps
#define v_all _mm512_set1_ps
#define v_add _mm512_add_ps
#define v_fma _mm512_fmadd_ps
#define v_sum _mm512_reduce_add_ps
#define v_zero(bits, i, p) _mm512_maskz_loadu_ps(bits_avx512(bits), p)
#define v_negated(bits, i, p) negated_avx512(bits, _mm512_loadu_ps(p))
#define v_second(bits, i, p, q) _mm512_mask_loadu_ps(_mm512_loadu_ps(q), bits_avx512(bits), p)
#define v_kept(bits, i, kept) kept_avx512(bits, kept)
#include "_products_body.h"
#undef v_load
#undef v_store
#undef v_all
#undef v_add
#undef v_fma
#undef v_sum
#undef v_zero
#undef v_negated
#undef v_second
#undef v_kept
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif

#if defined(HAS_X86) && defined(__linux__) && (defined(__clang__) ? __clang_major__ >= 12 : __GNUC__ >= 11)
#define HAS_AMX 1
#include "_products_amx.h"
#endif

/* --- NEON ----------------------------------------------------------------------------------------------------- */

#if defined(__aarch64__) && defined(__GNUC__)
#define HAS_NEON 1
#include <arm_neon.h>
#define LANES 4
#define TILE 12
#define FEW 13
#define UNROLLED UNROLL
#define NAME(x) x##_neon
#define V float32x4_t
INLINE float32x4_t none_neon(void) { return vdupq_n_f32(0); }
INLINE uint32x4_t bits_neon(const Byte *bits, int64_t i) {
    static const uint32_t each[4] = {1, 2, 4, 8};
    return vtstq_u32(vdupq_n_u32((uint32_t)*bits >> (i & 4)), vld1q_u32(each));
}
INLINE float32x4_t masked_neon(uint32x4_t mask, float32x4_t v) {
    return vreinterpretq_f32_u32(vandq_u32(mask, vreinterpretq_u32_f32(v)));
}
INLINE float32x4_t negated_neon(uint32x4_t mask, float32x4_t v) {
    uint32x4_t sign = vbicq_u32(vdupq_n_u32(0x80000000u), mask);
    return vreinterpretq_f32_u32(veorq_u32(sign, vreinterpretq_u32_f32(v)));
}
INLINE float32x4_t kept_neon(const Byte *bits, int64_t i, const float **kept) {
    float found[4];
    for (int k = 0; k < 4; k++) found[k] = *bits >> ((i & 4) + k) & 1 ? *(*kept)++ : 0.0f;
    return vld1q_f32(found);
}
INLINE float32x4_t fma_neon(float32x4_t a, float32x4_t b, float32x4_t sum) { return vfmaq_f32(sum, a, b); }
INLINE float sum_neon(float32x4_t v) {
    float32x2_t half = vadd_f32(vget_low_f32(v), vget_high_f32(v));
    return vget_lane_f32(vpadd_f32(half, half), 0);
}
#define v_none none_neon
#define v_mul vmulq_f32
#define v_load vld1q_f32
#define v_store vst1q_f32
#define v_all vdupq_n_f32
#define v_add vaddq_f32
#define v_fma fma_neon
#define v_sum sum_neon
#define v_zero(bits, i, p) masked_neon(bits_neon(bits, i), vld1q_f32(p))
#define v_negated(bits, i, p) negated_neon(bits_neon(bits, i), vld1q_f32(p))
#define v_second(bits, i, p, q) vbslq_f32(bits_neon(bits, i), vld1q_f32(p), vld1q_f32(q))
#define v_kept(bits, i, kept) kept_neon(bits, i, kept)
#include "_products_body.h"
#undef v_load
#undef v_store
#undef v_all
#undef v_add
#undef v_fma
#undef v_sum
#undef v_zero
#undef v_negated
#undef v_second
#undef v_kept
#endif

/* --- the choice of an instruction set ------------------------------------------------------------------------- */

typedef struct {
    const char *name;
    void (*multiply)(const Product *, Scratch *);
    void (*arrange)(const void *, int64_t, int64_t, int64_t, void *);
    int lanes, few; /* vectors of a register; registers of a group of SPARSE, or 0 for products of bfloat16 */
} Way;

static const Way WAYS[] = {
    {"plain", multiply_plain, arrange_plain, 8, 2},
#if defined(HAS_X86)
    {"avx2", multiply_avx2, arrange_avx2, 8, 13},
    {"avx512", multiply_avx512, arrange_avx512, 16, 13},
#if defined(HAS_AMX)
    {"amx", multiply_amx, arrange_amx, 16, 0},
#endif
#elif defined(HAS_NEON)
    {"neon", multiply_neon, arrange_neon, 4, 13},
#endif
};
enum { COUNT = sizeof WAYS / sizeof WAYS[0] };

static int usable(int way) {
#if defined(HAS_X86)
    __builtin_cpu_init();
#if defined(HAS_AMX)
    if (way == 3) return usable_amx();
#endif
    if (way == 2)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
    if (way == 1)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
               __builtin_cpu_supports("popcnt");
#endif
    return way < COUNT;
}

#if !defined(WITHOUT_PYTHON)

/* --- arguments --------------------------------------------------------------------------------------------------- */

static PyObject *refuse(const char *what) {
    PyErr_SetString(PyExc_ValueError, what);
    return NULL;
}

/* A buffer of items of this size, in one piece. */
static int get(PyObject *object, Py_buffer *view, int writable, Py_ssize_t item) {
    if (PyObject_GetBuffer(object, view, writable ? PyBUF_WRITABLE : PyBUF_SIMPLE)) return -1;
    if (view->len % item || (uintptr_t)view->buf % (uintptr_t)item) {
        PyBuffer_Release(view);
        refuse("a buffer is not aligned, or holds half an item");
        return -1;
    }
    return 0;
}

static int checked(const Product *p) {
    const int64_t most = (int64_t)1 << 48;
    if (p->rows < 1 || p->columns < 1 || p->rows > most / p->columns) return 0;
    if (p->vectors < 1 || p->vectors > p->batch) return 0;
    if (p->begin < 0 || p->begin > p->end || p->end > p->rows || p->batch < 1 || p->batch > most) return 0;
    if ((p->rows * p->columns + 7) / 8 > p->size) return 0;
    return 1;
}

static int tile_fits(const Tile *tile) {
    return tile->period >= 1 && tile->period <= tile->length && tile->phase >= 0 && tile->phase < tile->period;
}

/* --- threads ------------------------------------------------------------------------------------------------------ */

/* The threads of the OpenMP library that torch has loaded: others would wait for a core while those are spinning. */
static struct {
    void (*parallel)(void (*)(void *), void *, unsigned, unsigned); /* GOMP_parallel, which other libraries have too */
    int (*number)(void), (*count)(void);
} share;

static void find_threads(void) {
#if defined(__unix__) || defined(__APPLE__)
    *(void **)&share.parallel = dlsym(RTLD_DEFAULT, "GOMP_parallel");
    *(void **)&share.number = dlsym(RTLD_DEFAULT, "omp_get_thread_num");
    *(void **)&share.count = dlsym(RTLD_DEFAULT, "omp_get_num_threads");
    if (!share.number || !share.count) share.parallel = NULL;
#endif
}

typedef struct {
    int way;
    Product p;
    int failed;
} Job;

static void stretch_of_rows(Job *job, int64_t begin, int64_t end) {
    Product p = job->p;
    p.begin = begin;
    p.end = end;
    p.apart = 1;
    if (p.kind != KEPT && p.first.period >= 2 * p.columns) {
        p.apart = (p.first.period + p.columns / 2) / p.columns;
        if (p.apart > (p.end - p.begin) / 4) p.apart = 1;
    }
    Scratch scratch = scratch_for(&p);
    if (!scratch.sums)
        job->failed = 1; /* no thread takes it back */
    else
        WAYS[job->way].multiply(&p, &scratch);
    free(scratch.sums);
}

static void some_rows(void *data) {
    Job *job = data;
    int64_t rows = job->p.end - job->p.begin, count = share.count(), each = (rows + count - 1) / count;
    each = (each + MOST_TILE - 1) / MOST_TILE * MOST_TILE;
    int64_t begin = job->p.begin + each * share.number();
    if (begin < job->p.end) stretch_of_rows(job, begin, begin + each < job->p.end ? begin + each : job->p.end);
}

/* multiply(way, kind, out, x, batch, vectors, rows, columns, begin, end, bits, first, period, phase, second, second_period,
   second_phase, starts, scale, bias, order, group, threads) */
static PyObject *multiply(PyObject *self, PyObject *args) {
    (void)self;
    enum { OUT, X, BITS, FIRST, OTHER, STARTS, BUFFERS };
    int way, threads;
    Product p = {0};
    PyObject *objects[BUFFERS], *bias;
    Py_buffer added = {0};
    Py_buffer views[BUFFERS];
    PyObject *result = NULL;
    int held = 0;
    if (!PyArg_ParseTuple(args, "iiOOLLLLLLOOLLOLLOfOiLi", &way, &p.kind, &objects[OUT], &objects[X], &p.batch, &p.vectors, &p.rows,
                          &p.columns, &p.begin, &p.end, &objects[BITS], &objects[FIRST], &p.first.period,
                          &p.first.phase, &objects[OTHER], &p.second.period, &p.second.phase, &objects[STARTS],
                          &p.scale, &bias, &p.order,
                          &p.group, &threads))
        return NULL;
    if (way < 0 || way >= COUNT || !usable(way)) return refuse("this machine has no such instruction set");
    if (p.kind < ZERO || p.kind > KEPT) return refuse("the kind of weights is unknown");
    if (p.order < NEAR || p.order > SPARSE) return refuse("the order of summation is unknown");
    const int half = !WAYS[way].few, item = half ? 2 : 4; /* bytes of a value, an input and an output */
    p.half = half;
    const Py_ssize_t items[BUFFERS] = {item, item, 1, item, item, 8};
    if (half && p.order != DENSE) return refuse("products of bfloat16 have one order of summation");
    for (; held < BUFFERS; held++)
        if (get(objects[held], &views[held], held == OUT, items[held])) goto done;
    p.out = views[OUT].buf;
    p.x = views[X].buf;
    p.bits = views[BITS].buf;
    p.size = views[BITS].len;
    p.first.values = views[FIRST].buf;
    p.first.length = views[FIRST].len / item;
    p.second.values = views[OTHER].buf;
    p.second.length = views[OTHER].len / item;
    p.starts = views[STARTS].buf;
    if (bias != Py_None) {
        if (get(bias, &added, 0, 4)) goto done;
        p.bias = added.buf;
        if (added.len / 4 < p.rows) {
            refuse("the bias is too short");
            goto done;
        }
    }
    if (!checked(&p)) {
        refuse("rows, columns or bits do not fit each other");
        goto done;
    }
    p.width = (p.columns + SPARE - 1) / SPARE * SPARE;
    if (p.order != NEAR && p.batch % WAYS[way].lanes) {
        refuse("the batch is not a multiple of the lanes");
        goto done;
    }
    if (p.order == SPARSE && (p.group < 1 || p.group % WAYS[way].lanes || p.group > WAYS[way].few * WAYS[way].lanes)) {
        refuse("the group is not of a few registers");
        goto done;
    }
    if (p.order == SPARSE && (p.kind == NEGATED || p.kind == SECOND)) {
        refuse("zero bits stand for values");
        goto done;
    }
    const int64_t wide = half ? (p.columns + 31) / 32 * 32 : p.order == NEAR ? p.width : p.columns;
    if (p.batch > views[X].len / item / wide || p.vectors > views[OUT].len / item / p.rows) {
        refuse("inputs or outputs are too short");
        goto done;
    }
    if (p.kind == KEPT ? views[STARTS].len / 8 < p.rows
                       : !tile_fits(&p.first) || (p.kind == SECOND && !tile_fits(&p.second))) {
        refuse("the prototype or the starts do not fit the rows");
        goto done;
    }
    Job job = {way, p, 0};
    Py_BEGIN_ALLOW_THREADS
    if (threads > 1 && share.parallel)
        share.parallel(some_rows, &job, (unsigned)threads, 0);
    else
        stretch_of_rows(&job, p.begin, p.end);
    Py_END_ALLOW_THREADS
    result = job.failed ? PyErr_NoMemory() : Py_NewRef(Py_None);
done:
    if (added.obj) PyBuffer_Release(&added);
    for (int i = 0; i < held; i++) PyBuffer_Release(&views[i]);
    return result;
}

/* arrange(way, x, vectors, columns, group, out): vectors in rows -> vectors in lanes, the last group filled with zeros */
static PyObject *arrange(PyObject *self, PyObject *args) {
    (void)self;
    int way;
    long long vectors, columns, group;
    PyObject *from, *to, *result = NULL;
    Py_buffer x, out;
    if (!PyArg_ParseTuple(args, "iOLLLO", &way, &from, &vectors, &columns, &group, &to)) return NULL;
    if (way < 0 || way >= COUNT || !usable(way)) return refuse("this machine has no such instruction set");
    const long long lanes = WAYS[way].lanes, most = (long long)1 << 40;
    if (vectors < 1 || columns < 1 || vectors > most || columns > most / (vectors + lanes) || group < lanes || group % lanes)
        return refuse("the vectors or the group have no such size");
    const int half = !WAYS[way].few, item = half ? 2 : 4;
    const long long wide = half ? (columns + 31) / 32 * 32 : columns;
    if (get(from, &x, 0, item)) return NULL;
    if (!get(to, &out, 1, item)) {
        if (x.len / item < vectors * columns || out.len / item < (vectors + lanes - 1) / lanes * lanes * wide) {
            refuse("inputs or outputs are too short");
        } else {
            Py_BEGIN_ALLOW_THREADS
            WAYS[way].arrange(x.buf, vectors, columns, group, out.buf);
            Py_END_ALLOW_THREADS
            result = Py_NewRef(Py_None);
        }
        PyBuffer_Release(&out);
    }
    PyBuffer_Release(&x);
    return result;
}

/* shares() -> the threads of torch can be used, once it is imported */
static PyObject *shares(PyObject *self, PyObject *unused) {
    (void)self;
    (void)unused;
    if (!share.parallel) find_threads();
    return PyBool_FromLong(share.parallel != NULL);
}

/* ways() -> (name, lanes, most registers of a group) or None for each instruction set, the best last */
static PyObject *ways(PyObject *self, PyObject *unused) {
    (void)self;
    (void)unused;
    PyObject *found = PyList_New(0);
    for (int way = 0; found && way < COUNT; way++) {
        PyObject *one = usable(way) ? Py_BuildValue("(sii)", WAYS[way].name, WAYS[way].lanes, WAYS[way].few) : Py_NewRef(Py_None);
        if (!one || PyList_Append(found, one)) Py_CLEAR(found);
        Py_XDECREF(one);
    }
    return found;
}

static PyMethodDef methods[] = {
    {"multiply", multiply, METH_VARARGS, "Multiply rows of packed weights with vectors."},
    {"arrange", arrange, METH_VARARGS, "Lay vectors in lanes."},
    {"shares", shares, METH_NOARGS, "Return whether the threads of torch can be used."},
    {"ways", ways, METH_NOARGS, "Return the instruction sets, None for those that this machine lacks."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "_products", "Products of packed weights with vectors.", -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__products(void) {
#if defined(HAS_X86)
    for (int bits = 0; bits < 256; bits++)
        for (int k = 0, next = 0; k < 8; k++) places[bits][k] = bits >> k & 1 ? next++ : 0;
#endif
    return PyModule_Create(&module);
}

#endif
