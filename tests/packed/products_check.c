/* Every instruction set of `_products.c` against plain sums in double precision; for machines that emulate another. */

#define WITHOUT_PYTHON
#include "../../pemncodec/packed/_products.c"
#include <math.h>
#include <stdio.h>

static uint32_t state = 1;
static uint32_t draw(void) { return state = state * 1664525u + 1013904223u, state >> 8; }
static float drawn(void) { return (float)draw() / (1 << 23) - 1.0f; }

/* Where input c of vector j lies. */
static int64_t place(int across, int64_t full, int64_t columns, int64_t width, int64_t j, int64_t c) {
    int64_t group = j / GROUP * GROUP, size = full - group < GROUP ? full - group : GROUP;
    return across ? group * columns + c * size + j - group : j * width + c;
}

static int check(int way, int kind, int64_t rows, int64_t columns, int64_t batch, int across, int sparse, int density) {
    int64_t count = rows * columns, width = (columns + SPARE - 1) / SPARE * SPARE, lanes = WAYS[way].lanes, wrong = 0;
    int64_t full = across ? (batch + lanes - 1) / lanes * lanes : batch, period = 1 + draw() % (2 * count), other = 7;
    Byte *bits = calloc(1, (size_t)(count / 8 + 1));
    float *values = malloc((size_t)(period + count) * 4), others[7], *x = calloc((size_t)(full * width), 4);
    float *out = calloc((size_t)(batch * rows), 4);
    int64_t *starts = malloc((size_t)(rows + 1) * 8), ones = 0;
    double *dense = malloc((size_t)count * 8);
    for (int64_t i = 0; i < count; i++) bits[i / 8] |= (Byte)(((int)(draw() % 100) < density) << i % 8);
    for (int64_t i = 0; i < period + count; i++) values[i] = drawn();
    for (int i = 0; i < 7; i++) others[i] = drawn();
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
    for (int64_t j = 0; j < batch; j++)
        for (int64_t c = 0; c < columns; c++) x[place(across, full, columns, width, j, c)] = drawn();
    Product p = {.kind = kind, .across = across, .sparse = sparse, .out = out, .x = x, .batch = full, .vectors = batch,
                 .rows = rows, .columns = columns, .width = width, .begin = 0, .end = rows, .bits = bits,
                 .size = count / 8 + 1, .first = {values, kind == KEPT ? ones : period, period, phase},
                 .second = {others, 7, other, second}, .starts = starts, .scale = 1.5f, .apart = 1 + draw() % 3};
    Scratch s = {malloc((size_t)(ROWS_SPARSE * width / 8)), malloc((size_t)(2 * ROWS_SPARSE * (width + SPARE)) * 4),
                 malloc(ROWS_ACROSS * COLUMNS_ACROSS * 4), malloc(ROWS_SPARSE * GROUP * 4)};
    WAYS[way].multiply(&p, &s);
    for (int64_t j = 0; j < batch; j++)
        for (int64_t r = 0; r < rows; r++) {
            double sum = 0, bound = 0;
            for (int64_t c = 0; c < columns; c++) {
                double one = dense[r * columns + c] * x[place(across, full, columns, width, j, c)];
                sum += one;
                bound += fabs(one);
            }
            wrong += !(fabs(out[j * rows + r] - 1.5 * sum) <= 1e-5 * bound + 1e-30);
        }
    free(bits), free(values), free(x), free(out), free(starts), free(dense);
    free(s.bits), free(s.values), free(s.weights), free(s.sums);
    if (wrong) printf("%s kind %d, %ld x %ld, batch %ld, across %d, sparse %d: %ld wrong\n", WAYS[way].name, kind,
                      (long)rows, (long)columns, (long)batch, across, sparse, (long)wrong);
    return wrong != 0;
}

int main(void) {
#if defined(HAS_X86)
    for (int bits = 0; bits < 256; bits++)
        for (int k = 0, next = 0; k < 8; k++) places[bits][k] = bits >> k & 1 ? next++ : 0;
#endif
    static const int64_t shapes[][2] = {{1, 1}, {3, 5}, {8, 64}, {13, 100}, {7, 256}, {9, 513}};
    int cases = 0, wrong = 0;
    for (int way = 0; way < COUNT; way++)
        for (int kind = 0; usable(way) && kind < 4; kind++)
            for (int shape = 0; shape < 6; shape++)
                for (int batch = 1; batch < 150; batch = 2 * batch + 1)
                    for (int density = 5; density < 100; density += 45) {
                        int64_t rows = shapes[shape][0], columns = shapes[shape][1];
                        wrong += check(way, kind, rows, columns, batch, 0, 0, density);
                        wrong += check(way, kind, rows, columns, batch, 1, 0, density);
                        if (kind == ZERO || kind == KEPT)
                            wrong += check(way, kind, rows, columns, batch, 1, 1, density);
                        cases += 3;
                    }
    printf("%s: %d cases, %d wrong\n", WAYS[COUNT - 1].name, cases, wrong);
    return wrong != 0;
}
