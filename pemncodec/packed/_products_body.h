/* The products of `_products.c` in one instruction set: included once for each.

   Before it stand LANES, the type V of so many floats, and the operations on it; NAME(x) makes names of this set.
   Each function takes the sum of an element in one order, whatever rows are asked for and in whatever pieces: `dot` in
   four sums of every fourth LANES columns each, `block` in one sum of LANES columns, `across` column after column. */

/* The weights of LANES columns of a row. */
INLINE V NAME(weights)(const int kind, const Row *row, int64_t i, const float **kept) {
    const Byte *bits = row->bits + i / 8;
    switch (kind) {
    case ZERO: return v_zero(bits, i, row->values + i);
    case NEGATED: return v_negated(bits, i, row->values + i);
    case SECOND: return v_second(bits, i, row->values + i, row->others + i);
    default: return v_kept(bits, i, kept);
    }
}

/* `count` rows times one vector. */
INLINE void NAME(dot_rows)(const int kind, const int count, const Row *rows, const float *x, int64_t width, float *out) {
    V s[4][4];
    const float *kept[4];
    UNROLL for (int r = 0; r < count; r++) {
        kept[r] = rows[r].values;
        UNROLL for (int k = 0; k < 4; k++) s[r][k] = v_none();
    }
    for (int64_t i = 0; i < width; i += 4 * LANES) {
        if (kind == KEPT)
            UNROLL for (int r = 0; r < count; r++) PREFETCH(kept[r] + 1024);
        UNROLL for (int r = 0; r < count; r++) PREFETCH(rows[r].bits + i / 8 + 2048);
        UNROLL for (int k = 0; k < 4; k++) {
            V v = v_load(x + i + k * LANES);
            UNROLL for (int r = 0; r < count; r++)
                s[r][k] = v_fma(NAME(weights)(kind, rows + r, i + k * LANES, kept + r), v, s[r][k]);
        }
    }
    UNROLL for (int r = 0; r < count; r++)
        out[r] = v_sum(v_add(v_add(s[r][0], s[r][1]), v_add(s[r][2], s[r][3])));
}

/* Four rows times `count` vectors, at most four. */
INLINE void NAME(block_rows)(const int kind, const int count, const Row *rows, const float *x, int64_t width,
                             float out[4][4]) {
    V s[4][4];
    const float *kept[4];
    for (int r = 0; r < 4; r++) {
        kept[r] = rows[r].values;
        for (int k = 0; k < count; k++) s[r][k] = v_none();
    }
    for (int64_t i = 0; i < width; i += LANES) {
        V w[4];
        UNROLL for (int r = 0; r < 4; r++) w[r] = NAME(weights)(kind, rows + r, i, kept + r);
        UNROLL for (int k = 0; k < count; k++) {
            V v = v_load(x + k * width + i);
            UNROLL for (int r = 0; r < 4; r++) s[r][k] = v_fma(w[r], v, s[r][k]);
        }
    }
    for (int r = 0; r < 4; r++)
        for (int k = 0; k < count; k++) out[r][k] = v_sum(s[r][k]);
}

/* Four rows at a time, of which those after the first may be the first again: `x` is batch × width. */
INLINE void NAME(near_rows)(const int kind, const Product *p, const Row *rows, const int64_t *numbers, int n) {
    if (p->batch == 1) {
        float found[4];
        if (MOST_LANES >= 4 && kind != KEPT) {
            NAME(dot_rows)(kind, 4, rows, p->x, p->width, found);
        } else {
            NAME(dot_rows)(kind, 2, rows, p->x, p->width, found);
            if (n > 2) NAME(dot_rows)(kind, 2, rows + 2, p->x, p->width, found + 2);
        }
        for (int k = 0; k < n; k++) p->out[numbers[k]] = found[k] * p->scale;
        return;
    }
    for (int64_t j = 0; j < p->batch; j += 4) {
        float found[4][4];
        const float *x = p->x + j * p->width;
        int count = p->batch - j < 4 ? (int)(p->batch - j) : 4;
        switch (count) {
        case 1: NAME(block_rows)(kind, 1, rows, x, p->width, found); break;
        case 2: NAME(block_rows)(kind, 2, rows, x, p->width, found); break;
        case 3: NAME(block_rows)(kind, 3, rows, x, p->width, found); break;
        default: NAME(block_rows)(kind, 4, rows, x, p->width, found);
        }
        for (int k = 0; k < n; k++)
            for (int b = 0; b < count; b++) p->out[(j + b) * p->rows + numbers[k]] = found[k][b] * p->scale;
    }
}

/* Rows `apart` from each other are taken together: they begin near each other in the prototype, which lies in the
   first-level cache then. */
INLINE void NAME(near)(const int kind, const Product *p, Scratch *scratch) {
    for (int64_t first = p->begin; first < p->end; first += 4 * p->apart) {
        for (int64_t r = first; r < first + p->apart && r < p->end; r++) {
            Row rows[4];
            int64_t numbers[4];
            int n = 0;
            for (; n < 4 && r + n * p->apart < p->end; n++) {
                numbers[n] = r + n * p->apart;
                read_row(p, numbers[n], scratch, n, rows + n);
            }
            for (int k = n; k < 4; k++) rows[k] = rows[0];
            NAME(near_rows)(kind, p, rows, numbers, n);
        }
    }
}

/* Rows times vectors in lanes, `few` * LANES of them, for a stretch of columns whose weights are expanded already. */
INLINE void NAME(across_lanes)(const int few, const float *w, int64_t columns, const float *x, int64_t size,
                               float *sums, int n) {
    V s[ROWS_ACROSS][4];
    for (int k = 0; k < ROWS_ACROSS; k++)
        UNROLL for (int b = 0; b < few; b++) s[k][b] = k < n ? v_load(sums + k * size + b * LANES) : v_none();
    for (int64_t i = 0; i < columns; i++, x += size) {
        V v[4];
        UNROLL for (int b = 0; b < few; b++) v[b] = v_load(x + b * LANES);
        UNROLL for (int k = 0; k < ROWS_ACROSS; k++) {
            V one = v_all(w[k * COLUMNS_ACROSS + i]);
            UNROLL for (int b = 0; b < few; b++) s[k][b] = v_fma(one, v[b], s[k][b]);
        }
    }
    for (int k = 0; k < n; k++)
        UNROLL for (int b = 0; b < few; b++) v_store(sums + k * size + b * LANES, s[k][b]);
}

/* Vectors in lanes times one row, by the ones of its mask in a stretch of columns; returns where its kept values go on. */
INLINE const float *NAME(across_ones)(const int kind, const int few, const Row *row, const float *kept, int64_t first,
                                      int64_t columns, const float *x, int64_t size, float *sums) {
    const float *values = row->values + first;
    V s[2][4];
    UNROLL for (int b = 0; b < few; b++) {
        s[0][b] = v_load(sums + b * LANES);
        s[1][b] = v_none();
    }
    for (int64_t i = 0; i < columns; i += 64) {
        uint64_t word;
        memcpy(&word, row->bits + (first + i) / 8, sizeof word);
        while (word) {
            UNROLL for (int turn = 0; turn < 2; turn++) {
                int64_t at = i + COUNT_ZEROS(word);
                word &= word - 1;
                V one = v_all(kind == KEPT ? *kept++ : values[at]);
                UNROLL for (int b = 0; b < few; b++)
                    s[turn][b] = v_fma(one, v_load(x + at * size + b * LANES), s[turn][b]);
                if (!word) break;
            }
        }
    }
    UNROLL for (int b = 0; b < few; b++) v_store(sums + b * LANES, v_add(s[0][b], s[1][b]));
    return kept;
}

/* A group of vectors in lanes times some rows, by the ones of their masks: a stretch of inputs after the other, which
   lies in the first-level cache meanwhile. */
INLINE void NAME(sparse_group)(const int kind, const Product *p, const Row *rows, int n, const float *x, int64_t size,
                               float *sums) {
    const float *kept[ROWS_SPARSE];
    for (int k = 0; k < n; k++) kept[k] = rows[k].values;
    memset(sums, 0, (size_t)(n * size) * sizeof(float));
    for (int64_t first = 0; first < p->columns; first += COLUMNS_SPARSE, x += COLUMNS_SPARSE * size) {
        int64_t left = p->width - first, columns = left < COLUMNS_SPARSE ? left : COLUMNS_SPARSE;
        for (int k = 0; k < n; k++) {
            const float *after = kept[k], *next = kind == KEPT ? kept[(k + 2) % n] : rows[(k + 2) % n].values + first;
            float *to = sums + k * size;
            for (int64_t i = 0; i < columns; i += 16) PREFETCH(next + i);
            int64_t j = 0;
            for (; j + 4 * LANES <= size && MOST_LANES >= 4; j += 4 * LANES)
                after = NAME(across_ones)(kind, 4, rows + k, kept[k], first, columns, x + j, size, to + j);
            for (; j + 2 * LANES <= size; j += 2 * LANES)
                after = NAME(across_ones)(kind, 2, rows + k, kept[k], first, columns, x + j, size, to + j);
            for (; j + LANES <= size; j += LANES)
                after = NAME(across_ones)(kind, 1, rows + k, kept[k], first, columns, x + j, size, to + j);
            kept[k] = after;
        }
    }
}

/* A group of vectors in lanes times six rows. */
INLINE void NAME(across_group)(const int kind, const Product *p, const Row *rows, int n, const float *x, int64_t size,
                               float *w, float *sums) {
    const float *kept[ROWS_ACROSS];
    for (int k = 0; k < n; k++) kept[k] = rows[k].values;
    memset(sums, 0, (size_t)(n * size) * sizeof(float));
    for (int64_t first = 0; first < p->columns; first += COLUMNS_ACROSS, x += COLUMNS_ACROSS * size) {
        int64_t left = p->width - first, columns = left < COLUMNS_ACROSS ? left : COLUMNS_ACROSS;
        for (int k = 0; k < ROWS_ACROSS; k++)
            for (int64_t i = 0; i < columns; i += LANES)
                v_store(w + k * COLUMNS_ACROSS + i,
                        k < n ? NAME(weights)(kind, rows + k, first + i, kept + k) : v_none());
        if (columns > p->columns - first) columns = p->columns - first;
        int64_t j = 0;
        for (; j + 4 * LANES <= size && MOST_LANES >= 4; j += 4 * LANES)
            NAME(across_lanes)(4, w, columns, x + j, size, sums + j, n);
        for (; j + 2 * LANES <= size; j += 2 * LANES)
            NAME(across_lanes)(2, w, columns, x + j, size, sums + j, n);
        for (; j + LANES <= size; j += LANES)
            NAME(across_lanes)(1, w, columns, x + j, size, sums + j, n);
    }
}

/* Vectors in lanes, a multiple of LANES: `x` has groups of GROUP vectors, each columns × vectors, and the outputs are
   those of the first `vectors`. A group after the other, which lies in the second-level cache. */
INLINE void NAME(across)(const int kind, const Product *p, Scratch *scratch) {
    const int step = p->sparse ? ROWS_SPARSE : ROWS_ACROSS;
    for (int64_t group = 0; group < p->batch; group += GROUP) {
        int64_t size = p->batch - group < GROUP ? p->batch - group : GROUP;
        const float *x = p->x + group * p->columns;
        for (int64_t r = p->begin; r < p->end; r += step) {
            int n = p->end - r < step ? (int)(p->end - r) : step;
            Row rows[ROWS_SPARSE];
            for (int k = 0; k < n; k++) read_row(p, r + k, scratch, k, rows + k);
            if (p->sparse && (kind == ZERO || kind == KEPT))
                NAME(sparse_group)(kind, p, rows, n, x, size, scratch->sums);
            else
                NAME(across_group)(kind, p, rows, n, x, size, scratch->weights, scratch->sums);
            for (int64_t j = 0; j < size && group + j < p->vectors; j++)
                for (int k = 0; k < n; k++)
                    p->out[(group + j) * p->rows + r + k] = scratch->sums[k * size + j] * p->scale;
        }
    }
}

static void NAME(multiply)(const Product *p, Scratch *scratch) {
    switch (p->kind * 2 + p->across) {
    case 2 * ZERO: NAME(near)(ZERO, p, scratch); break;
    case 2 * ZERO + 1: NAME(across)(ZERO, p, scratch); break;
    case 2 * NEGATED: NAME(near)(NEGATED, p, scratch); break;
    case 2 * NEGATED + 1: NAME(across)(NEGATED, p, scratch); break;
    case 2 * SECOND: NAME(near)(SECOND, p, scratch); break;
    case 2 * SECOND + 1: NAME(across)(SECOND, p, scratch); break;
    case 2 * KEPT: NAME(near)(KEPT, p, scratch); break;
    default: NAME(across)(KEPT, p, scratch);
    }
}

#undef MOST_LANES
#undef LANES
#undef NAME
#undef V
#undef v_none
