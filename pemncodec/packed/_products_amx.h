/* Products of packed weights and vectors, both of bfloat16, in the matrix registers of AMX: sums are float32.

   Vectors lie in groups of 16, each pairs of columns × vectors × 2. The sum of an element is taken in one order,
   whatever rows are asked for: 32 columns after the other, as the processor adds them. */

#include <sys/syscall.h>
#include <unistd.h>

/* Rows and columns of a register; columns that are expanded at a time, and how far rows of them lie apart. */
enum { SIDE = 16, DEPTH = 32, STRETCH_AMX = 512, APART_AMX = STRETCH_AMX + DEPTH };

/* The values of a prototype for columns from `first` on of a row: straight from it where they lie in one piece. */
static const uint16_t *read_tile16(const uint16_t *values, const Tile *tile, const Product *p, int64_t row, int64_t first,
                                   int64_t columns, uint16_t *copy) {
    uint64_t at = ((uint64_t)tile->phase + (uint64_t)(row * p->columns + first)) % (uint64_t)tile->period;
    int64_t done = 0, left = p->columns - first < columns ? p->columns - first : columns;
    if (left == columns && (int64_t)at + columns <= tile->length) return values + at;
    while (done < left) {
        int64_t count = tile->period - (int64_t)at < left - done ? tile->period - (int64_t)at : left - done;
        memcpy(copy + done, values + at, (size_t)count * 2);
        done += count;
        at = 0;
    }
    memset(copy + left, 0, (size_t)(columns - left) * 2);
    return copy;
}

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx512vbmi2,avx512bf16,fma,bmi,popcnt,amx-tile,amx-bf16"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl,avx512vbmi2,avx512bf16,fma,bmi,popcnt,amx-tile,amx-bf16")
#endif

/* Columns of a row, a multiple of DEPTH, expanded; returns how many kept values were taken. */
INLINE int64_t expand_amx(const int kind, const Byte *bits, const uint16_t *values, const uint16_t *others,
                          int64_t columns, uint16_t *out) {
    const uint16_t *kept = values;
    for (int64_t i = 0; i < columns; i += DEPTH) {
        uint32_t mask;
        memcpy(&mask, bits + i / 8, sizeof mask);
        __m512i v;
        switch (kind) {
        case ZERO: v = _mm512_maskz_loadu_epi16(mask, values + i); break;
        case NEGATED:
            v = _mm512_loadu_si512(values + i);
            v = _mm512_xor_si512(v, _mm512_maskz_set1_epi16(~mask, INT16_MIN));
            break;
        case SECOND: v = _mm512_mask_loadu_epi16(_mm512_loadu_si512(others + i), mask, values + i); break;
        default:
            v = _mm512_maskz_expandloadu_epi16(mask, kept);
            kept += __builtin_popcount(mask);
        }
        _mm512_storeu_si512(out + i, v);
    }
    return kept - values;
}

/* 2 * SIDE rows, expanded APART_AMX apart, times one or two groups of vectors: added to `sums`, `size` apart. Meanwhile
   `count` stretches of values are fetched, which lie `apart` from each other. */
INLINE void tiles_amx(const int both, const uint16_t *w, const uint16_t *x, const uint16_t *y, int64_t columns, float *sums,
                      int64_t size, const uint16_t *ahead, int count, int64_t apart) {
    const int64_t next = SIDE * size;
    _tile_loadd(0, sums, size * 4);
    _tile_loadd(1, sums + next, size * 4);
    if (both) {
        _tile_loadd(2, sums + SIDE, size * 4);
        _tile_loadd(3, sums + next + SIDE, size * 4);
    }
    for (int64_t i = 0; i < columns; i += DEPTH) {
        for (int k = 0; k < count; k++) PREFETCH_NEXT(ahead + k * apart + i);
        _tile_loadd(4, w + i, APART_AMX * 2);
        _tile_loadd(5, w + SIDE * APART_AMX + i, APART_AMX * 2);
        _tile_loadd(6, x + i * SIDE, 2 * DEPTH);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 5, 6);
        if (both) {
            _tile_loadd(7, y + i * SIDE, 2 * DEPTH);
            _tile_dpbf16ps(2, 4, 7);
            _tile_dpbf16ps(3, 5, 7);
        }
    }
    _tile_stored(0, sums, size * 4);
    _tile_stored(1, sums + next, size * 4);
    if (both) {
        _tile_stored(2, sums + SIDE, size * 4);
        _tile_stored(3, sums + next + SIDE, size * 4);
    }
}

/* The sums of SIDE vectors and `rows` rows -> the outputs of `count` of the vectors, rounded to bfloat16. */
static void put_amx(const Product *p, const float *sums, int64_t apart, int64_t rows, int64_t count, const float *bias,
                    uint16_t *out) {
    const __m512 scale = _mm512_set1_ps(p->scale);
    uint16_t turned[SIDE][BLOCK];
    for (int64_t r = 0; r < rows; r += SIDE, sums += SIDE * apart) {
        __m512 t[SIDE], added = _mm512_setzero_ps();
        if (bias) added = _mm512_maskz_loadu_ps((__mmask16)(rows - r < SIDE ? (1 << (rows - r)) - 1 : 0xffff), bias + r);
        UNROLL for (int i = 0; i < SIDE; i++) t[i] = _mm512_mul_ps(_mm512_loadu_ps(sums + i * apart), scale);
        turn_avx512(t);
        UNROLL for (int b = 0; b < SIDE; b++) {
            __m256i found = (__m256i)_mm512_cvtneps_pbh(_mm512_add_ps(t[b], added));
            _mm256_storeu_si256((__m256i *)(turned[b] + r), found);
        }
    }
    for (int b = 0; b < SIDE && b < count; b++) memcpy(out + b * p->rows, turned[b], (size_t)rows * 2);
}

INLINE void rows_amx(const int kind, const Product *p, Scratch *scratch) {
    const int64_t padded = (p->columns + DEPTH - 1) / DEPTH * DEPTH;
    const uint16_t *x = (const uint16_t *)p->x, *one = (const uint16_t *)p->first.values;
    const uint16_t *two = (const uint16_t *)p->second.values;
    uint16_t *w = (uint16_t *)scratch->weights, *copy = (uint16_t *)scratch->values;
    for (int64_t group = 0; group < p->batch; group += VECTORS_AMX) {
        int64_t size = p->batch - group < VECTORS_AMX ? p->batch - group : VECTORS_AMX, across = size + SIDE;
        const int each = (int)(4 * SIDE * SIDE / size) + 1; /* of the next rows are fetched with each pair of groups */
        for (int64_t block = p->begin; block < p->end; block += BLOCK) {
            int64_t end = p->end - block < BLOCK ? p->end : block + BLOCK, taken[BLOCK] = {0};
            memset(scratch->sums, 0, (size_t)(BLOCK * across) * sizeof(float));
            for (int64_t first = 0; first < p->columns; first += STRETCH_AMX) {
                int64_t columns = padded - first < STRETCH_AMX ? padded - first : STRETCH_AMX;
                for (int64_t r = block; r < end; r += 2 * SIDE) {
                    const uint16_t *begins = one;
                    for (int64_t k = 0; k < 2 * SIDE; k++) {
                        uint16_t *to = w + k * APART_AMX;
                        if (r + k >= end) {
                            memset(to, 0, (size_t)columns * 2);
                            continue;
                        }
                        const Byte *bits = read_bits(p, r + k, scratch->bits) + first / 8;
                        if (kind == KEPT) {
                            int64_t start = p->starts[r + k], left;
                            if (start < 0 || start > p->first.length) start = p->first.length;
                            start += taken[r + k - block];
                            if (start > p->first.length) start = p->first.length;
                            left = p->first.length - start;
                            const uint16_t *from = one + start;
                            if (!k) begins = from;
                            if (left < columns + SPARE) { /* whatever the bits are, no more than is there is read */
                                memset(copy, 0, (size_t)(columns + SPARE) * 2);
                                memcpy(copy, from, (size_t)(left < columns ? left : columns) * 2);
                                from = copy;
                            }
                            taken[r + k - block] += expand_amx(kind, bits, from, from, columns, to);
                            continue;
                        }
                        const uint16_t *from = read_tile16(one, &p->first, p, r + k, first, columns, copy), *other = from;
                        if (kind == SECOND)
                            other = read_tile16(two, &p->second, p, r + k, first, columns, copy + STRETCH_AMX + SPARE);
                        if (!k) begins = from;
                        expand_amx(kind, bits, from, other, columns, to);
                    }
                    const int64_t apart = kind == KEPT ? columns / 2 : p->columns;
                    const uint16_t *ahead = begins + 2 * SIDE * apart;
                    for (int64_t j = 0; j < size; j += 2 * SIDE, ahead += each * apart) {
                        const uint16_t *of = x + (group + j) * padded + first * SIDE;
                        float *sums = scratch->sums + (r - block) * across + j;
                        if (j + SIDE < size)
                            tiles_amx(1, w, of, of + SIDE * padded, columns, sums, across, ahead, each, apart);
                        else
                            tiles_amx(0, w, of, of, columns, sums, across, ahead, each, apart);
                    }
                }
            }
            for (int64_t j = 0; j < size; j += SIDE)
                put_amx(p, scratch->sums + j, across, end - block, p->vectors - group - j,
                        p->bias ? p->bias + block : NULL, (uint16_t *)p->out + (group + j) * p->rows + block);
        }
    }
}

static void multiply_amx(const Product *p, Scratch *scratch) {
    struct {
        uint8_t palette, start, reserved[14];
        uint16_t bytes[16];
        uint8_t rows[16];
    } config = {1, 0, {0}, {0}, {0}};
    for (int i = 0; i < 8; i++) config.bytes[i] = 2 * DEPTH, config.rows[i] = SIDE;
    _tile_loadconfig(&config);
    switch (p->kind) {
    case ZERO: rows_amx(ZERO, p, scratch); break;
    case NEGATED: rows_amx(NEGATED, p, scratch); break;
    case SECOND: rows_amx(SECOND, p, scratch); break;
    default: rows_amx(KEPT, p, scratch);
    }
    _tile_release();
}

/* Vectors of bfloat16 -> groups of SIDE of them in pairs of columns, filled up with zeros. */
static void arrange_amx(const void *from, int64_t vectors, int64_t columns, int64_t group, void *into) {
    (void)group;
    const uint16_t *x = from;
    uint16_t *to = into;
    const int64_t padded = (columns + DEPTH - 1) / DEPTH * DEPTH;
    for (int64_t first = 0; first < vectors; first += SIDE, to += SIDE * padded) {
        int count = vectors - first < SIDE ? (int)(vectors - first) : SIDE;
        int64_t i = 0;
        if (count == SIDE)
            for (; i + DEPTH <= columns; i += DEPTH) {
                __m512 t[SIDE];
                UNROLL for (int k = 0; k < SIDE; k++) t[k] = _mm512_loadu_ps(x + (first + k) * columns + i);
                turn_avx512(t);
                UNROLL for (int k = 0; k < SIDE; k++) _mm512_storeu_ps(to + (i + 2 * k) * SIDE, t[k]);
            }
        for (; i < padded; i++)
            for (int k = 0; k < SIDE; k++)
                to[i / 2 * 2 * SIDE + 2 * k + i % 2] = k < count && i < columns ? x[(first + k) * columns + i] : 0;
    }
}

/* The processor has the instructions, and the system lets this process use the registers. */
static int usable_amx(void) {
    static int found = -1;
    if (found < 0) {
        unsigned a = 0, b = 0, c = 0, d = 0;
        found = __get_cpuid_count(7, 0, &a, &b, &c, &d) && d >> 22 & 1 && d >> 24 & 1 && c >> 6 & 1 &&
                __get_cpuid_count(7, 1, &a, &b, &c, &d) && a >> 5 & 1 && /* conversion to bfloat16 */
                __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                !syscall(SYS_arch_prctl, 0x1023 /* ARCH_REQ_XCOMP_PERM */, 18 /* tile data */);
    }
    return found;
}

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
