/* Every instruction set of `_products.c` against plain sums in double precision; for machines that emulate another. */

#define WITHOUT_PYTHON
#include "../../pemncodec/packed/_products.c"
#include <math.h>
#include <stdio.h>

static uint32_t state = 1;
static uint32_t draw(void) { return state = state * 1664525u + 1013904223u, state >> 8; }
static float drawn(void) { return (float)draw() / (1 << 23) - 1.0f; }

/* Bfloat16 in place of float32, of the values and in the buffer, where products are of these. */
static void *halved(float *values, int64_t count) {
    uint16_t *half = malloc((size_t)count * 2 + 2);
    for (int64_t i = 0; i < count; i++) {
        uint32_t word;
        memcpy(&word, values + i, 4);
        half[i] = (uint16_t)(word >> 16);
        word &= 0xffff0000u;
        memcpy(values + i, &word, 4);
    }
    return half;
}

static int sparse_wide = 1; /* registers of a group */

/* Where input c of vector j lies. */
static int64_t place(int order, int way, int64_t full, int64_t columns, int64_t width, int64_t j, int64_t c) {
    int64_t lanes = WAYS[way].lanes, most = order == NEAR ? BESIDE : (order == SPARSE ? sparse_wide : WIDE) * lanes;
    int64_t group = j / most * most, size = full - group < most ? full - group : most;
    if (order == NEAR) return group * width + (c / lanes * size + j - group) * lanes + c % lanes;
    return group * columns + c * size + j - group;
}

/* The same product by expanded rows, in bits: those outputs that do not come from the rests. */
static int expanded(const Product *p, int way, const double *dense, const float *given) {
    const int64_t lanes = WAYS[way].lanes, rows = (p->rows + lanes - 1) / lanes * lanes;
    float *plain = calloc((size_t)(p->rows * p->width), 4), *turned = calloc((size_t)(rows * p->width), 4);
    float *out = calloc((size_t)(p->vectors * p->rows), 4), bias[256] = {0}, *expected = out;
    int wrong = 0;
    Product q = *p;
    for (int64_t r = 0; r < p->rows; r++)
        for (int64_t c = 0; c < p->columns; c++) plain[r * p->width + c] = (float)dense[r * p->columns + c];
    q.kind = PLAIN;
    q.first.values = plain;
    q.turned = turned;
    q.out = out;
    q.rests = 0;
    if (p->order == DENSE) {
        if (p->columns != p->width || p->columns > LONG) goto done;
        WAYS[way].arrange(plain, p->rows, p->columns, WIDE * lanes, turned);
        q.x = given;
    }
    float *memory = malloc(scratch_sizes(p).all * sizeof(float));
    Scratch s = scratch_in(p, memory);
    WAYS[way].multiply(&q, &s);
    wrong += memcmp(out, p->out, (size_t)(p->vectors * p->rows) * 4) != 0;
    for (int i = 0; i < 256; i++) bias[i] = drawn(); /* added to a product with the scale, not in one step */
    expected = malloc((size_t)((p->vectors + p->rests) * p->rows) * 4);
    q.bias = bias;
    Product with = *p;
    with.bias = bias;
    with.out = expected;
    WAYS[way].multiply(&q, &s);
    WAYS[way].multiply(&with, &s);
    wrong += memcmp(out, expected, (size_t)(p->vectors * p->rows) * 4) != 0;
    free(expected), free(memory);
done:
    free(plain), free(turned), free(out);
    return wrong;
}

static int check(int way, int kind, int64_t rows, int64_t columns, int64_t batch, int order, int density) {
    const int half = !WAYS[way].few;
    if (!half) sparse_wide = sparse_wide % WAYS[way].few + 1;
    int64_t count = rows * columns, width = (columns + SPARE - 1) / SPARE * SPARE, wrong = 0;
    int lanes = WAYS[way].lanes;
    int64_t rests = order == DENSE && !half && columns <= LONG && columns == width && batch >= lanes ? batch % lanes : 0;
    if (rests > REST) rests = 0;
    const int64_t all = batch;
    batch -= rests; /* these lie beside each other, after those in lanes */
    int64_t full = order ? (batch + lanes - 1) / lanes * lanes : batch, period = 1 + draw() % (2 * count), other = 7;
    Byte *bits = calloc(1, (size_t)(count / 8 + 1));
    float *values = malloc((size_t)(period + count) * 4), others[7], *x = calloc((size_t)(full * width), 4);
    float *out = calloc((size_t)(all * rows), 4), *rest = calloc((size_t)(rests * width + 1), 4);
    int64_t *starts = malloc((size_t)(rows + 1) * 8), ones = 0;
    double *dense = malloc((size_t)count * 8);
    for (int64_t i = 0; i < count; i++) bits[i / 8] |= (Byte)(((int)(draw() % 100) < density) << i % 8);
    for (int64_t i = 0; i < period + count; i++) values[i] = drawn();
    for (int i = 0; i < 7; i++) others[i] = drawn();
    void *first = half ? halved(values, period + count) : values, *second_values = half ? halved(others, 7) : others;
    int64_t phase = draw() % period, second = draw() % 7;
    for (int64_t i = 0; i < count; i++) {
        int bit = bits[i / 8] >> i % 8 & 1;
        if (i % columns == 0) starts[i / columns] = ones;
        double one = values[(phase + i) % period], zero = 0;
        if (kind == NEGATED) zero = -one;
        if (kind == SECOND) zero = others[(second + i) % 7];
        if (kind == KEPT) one = bit ? values[ones] : 0;
        ones += bit;
        dense[i] = bit ? one : zero;
    }
    starts[rows] = ones;
    float *given = malloc((size_t)(all * columns) * 4);
    for (int64_t i = 0; i < all * columns; i++) given[i] = drawn();
    void *inputs = x, *short_inputs = half ? halved(given, batch * columns) : NULL;
    if (half) WAYS[way].arrange(short_inputs, batch, columns, lanes, inputs = malloc((size_t)(full * (columns + 31)) * 2));
    for (int64_t j = 0; !half && j < batch; j++)
        for (int64_t c = 0; c < columns; c++) x[place(order, way, full, columns, width, j, c)] = given[j * columns + c];
    if (order != NEAR && !half) {
        float *laid = malloc((size_t)(full * columns) * 4);
        WAYS[way].arrange(given, batch, columns, (order == SPARSE ? sparse_wide : WIDE) * lanes, laid);
        wrong += memcmp(laid, x, (size_t)(full * columns) * 4) != 0;
        free(laid);
    }
    if (order == NEAR) {
        float *packed = malloc((size_t)(batch * width) * 4);
        WAYS[way].pack(given, batch, columns, width, packed);
        wrong += memcmp(packed, x, (size_t)(batch * width) * 4) != 0;
        free(packed);
    }
    if (rests) WAYS[way].pack(given + batch * columns, rests, columns, width, rest);
    Product p = {.kind = kind, .order = order, .half = half, .out = out, .x = inputs, .batch = full, .vectors = batch,
                 .rows = rows, .columns = columns, .width = width, .begin = 0, .end = rows, .bits = bits,
                 .size = count / 8 + 1, .first = {first, kind == KEPT ? ones : period, period, phase},
                 .second = {second_values, 7, other, second}, .starts = starts, .scale = 1.5f, .group = sparse_wide * lanes, .apart = 1 + draw() % 3,
                 .rest = rest, .rests = rests};
    float *memory = malloc(scratch_sizes(&p).all * sizeof(float));
    Scratch s = scratch_in(&p, memory);
    WAYS[way].multiply(&p, &s);
    for (int64_t j = 0; j < all; j++)
        for (int64_t r = 0; r < rows; r++) {
            double sum = 0, bound = 0;
            for (int64_t c = 0; c < columns; c++) {
                double one = dense[r * columns + c] * given[j * columns + c];
                sum += one;
                bound += fabs(one);
            }
            float found = out[j * rows + r];
            if (half) {
                uint32_t word = (uint32_t)((uint16_t *)out)[j * rows + r] << 16;
                memcpy(&found, &word, 4);
            }
            wrong += !(fabs(found - 1.5 * sum) <= (half ? 1e-5 * bound + fabs(sum) / 128 : 1e-5 * bound) + 1e-30);
        }
    if (!half && order != SPARSE) wrong += expanded(&p, way, dense, given);
    free(given), free(bits), free(values), free(x), free(out), free(starts), free(dense), free(rest);
    free(memory);
    if (half) free(first), free(second_values), free(inputs), free(short_inputs);
    if (wrong) printf("%s kind %d, %ld x %ld, batch %ld, order %d: %ld wrong\n", WAYS[way].name, kind,
                      (long)rows, (long)columns, (long)batch, order, (long)wrong);
    return wrong != 0;
}

int main(void) {
#if defined(HAS_X86)
    for (int bits = 0; bits < 256; bits++)
        for (int k = 0, next = 0; k < 8; k++) places[bits][k] = bits >> k & 1 ? next++ : 0;
#endif
    static const int64_t shapes[][2] = {{1, 1}, {3, 5}, {8, 64}, {13, 100}, {7, 256}, {9, 513}};
    static const int64_t large[][3] = {{205, 700, 17}, {13, 700, 390}, {205, 1100, 17}, {13, 1100, 390}, {13, 64, 5000}}; /* more than a block, a stretch, a group */
    int cases = 0, wrong = 0;
    for (int way = 0; way < COUNT; way++)
        for (int kind = 0; usable(way) && kind < 4; kind++) {
            const int from = WAYS[way].few ? NEAR : DENSE; /* products of bfloat16 have one order */
            const int orders = !WAYS[way].few ? 2 : kind == ZERO || kind == KEPT ? 3 : 2;
            for (int shape = 0; shape < 6; shape++)
                for (int batch = 1; batch < 150; batch = 2 * batch + 1 + batch % 4)
                    for (int density = 5; density < 100; density += 45)
                        for (int order = from; order < orders; order++, cases++)
                            wrong += check(way, kind, shapes[shape][0], shapes[shape][1], batch, order, density);
            for (int i = 0; i < 5; i++)
                for (int order = from; order < orders; order++, cases++)
                    wrong += check(way, kind, large[i][0], large[i][1], large[i][2], order, 50);
        }
    printf("%s: %d cases, %d wrong\n", WAYS[COUNT - 1].name, cases, wrong);
    return wrong != 0;
}
