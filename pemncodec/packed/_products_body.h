/* The products of `_products.c` in one instruction set: included once for each.

   Before it stand LANES, the type V of so many floats, and the operations on it; NAME(x) makes names of this set.
   Each function takes the sum of an element in one order, whatever rows are asked for and in whatever pieces: `dot` in
   four sums of every fourth LANES columns each, `block` in one sum of LANES columns, `dense` and `sparse` column after
   column. */

#if !defined(v_turn)
INLINE void NAME(turn)(V *t) {
    float from[LANES][LANES], to[LANES][LANES];
    for (int i = 0; i < LANES; i++) v_store(from[i], t[i]);
    for (int i = 0; i < LANES; i++)
        for (int j = 0; j < LANES; j++) to[j][i] = from[i][j];
    for (int i = 0; i < LANES; i++) t[i] = v_load(to[i]);
}
#define v_turn NAME(turn)
#endif

/* `count` rows of `columns` floats, at most LANES of them -> columns of LANES floats, of which those after are zero. */
static void NAME(lay)(const float *from, int count, int64_t columns, float *to, int64_t apart) {
    V t[LANES];
    int64_t i = 0;
    if (count == LANES)
        for (; i + LANES <= columns; i += LANES) {
            UNROLLED for (int k = 0; k < LANES; k++) t[k] = v_load(from + k * columns + i);
            v_turn(t);
            UNROLLED for (int k = 0; k < LANES; k++) v_store(to + (i + k) * apart, t[k]);
        }
    for (; i < columns; i++)
        for (int k = 0; k < LANES; k++) to[i * apart + k] = k < count ? from[k * columns + i] : 0;
}

/* Vectors in rows -> vectors in lanes, in groups of `group`, a multiple of LANES; the last one has what remains. */
static void NAME(arrange)(const void *from, int64_t vectors, int64_t columns, int64_t group, void *into) {
    const float *x = from;
    float *to = into;
    for (int64_t first = 0; first < vectors; first += group) {
        int64_t left = vectors - first, lanes = (left < group ? left + LANES - 1 : group) / LANES * LANES;
        for (int64_t j = 0; j < lanes; j += LANES)
            NAME(lay)(x + (first + j) * columns, left - j < LANES ? (int)(left - j) : LANES, columns,
                      to + first * columns + j, lanes);
    }
}

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
    UNROLLED for (int r = 0; r < count; r++) {
        kept[r] = rows[r].values;
        UNROLLED for (int k = 0; k < 4; k++) s[r][k] = v_none();
    }
    for (int64_t i = 0; i < width; i += 4 * LANES) {
        if (kind == KEPT)
            UNROLLED for (int r = 0; r < count; r++) PREFETCH(kept[r] + 1024);
        UNROLLED for (int r = 0; r < count; r++) PREFETCH(rows[r].bits + i / 8 + 2048);
        UNROLLED for (int k = 0; k < 4; k++) {
            V v = v_load(x + i + k * LANES);
            UNROLLED for (int r = 0; r < count; r++)
                s[r][k] = v_fma(NAME(weights)(kind, rows + r, i + k * LANES, kept + r), v, s[r][k]);
        }
    }
    UNROLLED for (int r = 0; r < count; r++)
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
        UNROLLED for (int r = 0; r < 4; r++) w[r] = NAME(weights)(kind, rows + r, i, kept + r);
        UNROLLED for (int k = 0; k < count; k++) {
            V v = v_load(x + k * width + i);
            UNROLLED for (int r = 0; r < 4; r++) s[r][k] = v_fma(w[r], v, s[r][k]);
        }
    }
    for (int r = 0; r < 4; r++)
        for (int k = 0; k < count; k++) out[r][k] = v_sum(s[r][k]);
}

/* Four rows at a time, of which those after the first may be the first again: `x` is batch × width. */
INLINE void NAME(near_rows)(const int kind, const Product *p, const Row *rows, const int64_t *numbers, int n) {
    if (p->batch == 1) {
        float found[4];
        if (LANES != 8 && kind != KEPT) {
            NAME(dot_rows)(kind, 4, rows, p->x, p->width, found);
        } else {
            NAME(dot_rows)(kind, 2, rows, p->x, p->width, found);
            if (n > 2) NAME(dot_rows)(kind, 2, rows + 2, p->x, p->width, found + 2);
        }
        for (int k = 0; k < n; k++) p->out[numbers[k]] = result(p, found[k], numbers[k]);
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
            for (int b = 0; b < count; b++) 
                p->out[(j + b) * p->rows + numbers[k]] = result(p, found[k][b], numbers[k]);
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

/* TILE rows, expanded `stride` apart, times `few` * LANES vectors in lanes: added to `sums`, column after column.
   Meanwhile `count` stretches of values are fetched, which lie `apart` from each other. */
INLINE void NAME(tile)(const int few, const float *w, int64_t stride, int64_t columns, const float *x, float *sums,
                       const float *next, int count, int64_t apart) {
    V s[TILE][WIDE];
    UNROLLED for (int k = 0; k < TILE; k++)
        UNROLLED for (int b = 0; b < few; b++) s[k][b] = v_load(sums + (k * few + b) * LANES);
    for (int64_t first = 0; first < columns; first += 16) {
        const int64_t end = columns - first < 16 ? columns : first + 16;
        for (int k = 0; k < count; k++) PREFETCH_NEXT(next + k * apart + first);
        for (int64_t i = first; i < end; i++, x += few * LANES) {
            V v[WIDE];
            UNROLLED for (int b = 0; b < few; b++) v[b] = v_load(x + b * LANES);
            UNROLLED for (int k = 0; k < TILE; k++) {
                V one = v_all(w[k * stride + i]);
                UNROLLED for (int b = 0; b < few; b++) s[k][b] = v_fma(one, v[b], s[k][b]);
            }
        }
    }
    UNROLLED for (int k = 0; k < TILE; k++)
        UNROLLED for (int b = 0; b < few; b++) v_store(sums + (k * few + b) * LANES, s[k][b]);
}

/* The sums of LANES vectors and `rows` rows -> the outputs of `count` of the vectors. Of `tile` rows each begins `apart`
   from the one before, and the next ones begin after `step` sums. */
static void NAME(put)(const Product *p, const float *sums, int tile, int64_t step, int64_t apart, int64_t rows,
                      int64_t count, const float *bias, float *out) {
    const V scale = v_all(p->scale);
    float turned[LANES][BLOCK + MOST_TILE + LANES];
    for (int64_t r = 0; r < rows; r += tile, sums += step)
        for (int k = 0; k < tile; k += LANES) {
            V t[LANES];
            UNROLLED for (int i = 0; i < LANES; i++)
                t[i] = k + i < tile ? v_mul(v_load(sums + (k + i) * apart), scale) : v_none();
            v_turn(t);
            UNROLLED for (int b = 0; b < LANES; b++) v_store(turned[b] + r + k, t[b]);
        }
    for (int b = 0; b < LANES && b < count; b++)
        if (bias)
            for (int64_t r = 0; r < rows; r++) out[b * p->rows + r] = turned[b][r] + bias[r];
        else
            memcpy(out + b * p->rows, turned[b], (size_t)rows * sizeof(float));
}

static void NAME(tile_wide)(const float *w, int64_t columns, const float *x, float *sums, const float *next, int count,
                            int64_t apart) {
    NAME(tile)(WIDE, w, STRETCH + 16, columns, x, sums, next, count, apart);
}

static void NAME(tile_one)(const float *w, int64_t columns, const float *x, float *sums, const float *next, int count,
                           int64_t apart) {
    NAME(tile)(1, w, STRETCH + 16, columns, x, sums, next, count, apart);
}

/* `few` * LANES vectors in lanes times the ones of one row in `stretch` columns; returns where its kept values go on. */
INLINE const float *NAME(ones)(const int kind, const int few, const int stretch, const Byte *bits, const float *values,
                               const float *x, float *sums) {
    uint64_t word;
    V s[FEW];
    memcpy(&word, bits, sizeof word);
    if (stretch == 32) word = (uint32_t)word;
    UNROLLED for (int b = 0; b < few; b++) s[b] = v_load(sums + b * LANES);
    while (word) {
        size_t at = (size_t)COUNT_ZEROS(word);
        word &= word - 1;
        V one = v_all(kind == KEPT ? *values++ : values[at]);
        UNROLLED for (int b = 0; b < few; b++) s[b] = v_fma(one, v_load(x + at * (size_t)(few * LANES) + b * LANES), s[b]);
    }
    UNROLLED for (int b = 0; b < few; b++) v_store(sums + b * LANES, s[b]);
    return values;
}

/* A group of `few` * LANES vectors times `columns` columns of some rows, by the ones of their masks: a stretch of inputs
   after the other, which lies in the first-level cache meanwhile. */
INLINE void NAME(stretches)(const int kind, const int few, const int stretch, const Product *p, const Row *rows, int n,
                            int64_t first, int64_t columns, int64_t *taken, const float *x, float *sums) {
    const float *values[ROWS_SPARSE];
    Byte last[8] = {0};
    for (int k = 0; k < n; k++) values[k] = rows[k].values + (kind == KEPT ? taken[k] : first);
    for (int64_t end = first + columns; first < end; first += stretch, x += stretch * few * LANES)
        for (int k = 0; k < n; k++) {
            const Byte *bits = rows[k].bits + first / 8;
            UNROLLED for (int i = 0; i < stretch; i += 16) PREFETCH(values[k] + stretch + i);
            if (stretch == 32 && first + 64 > p->width) bits = memcpy(last, bits, 4);
            const float *after = NAME(ones)(kind, few, stretch, bits, values[k], x, sums + k * few * LANES);
            values[k] = kind == KEPT ? after : values[k] + stretch;
        }
    for (int k = 0; k < n; k++) taken[k] = values[k] - rows[k].values;
}

#define STRETCHES(few, stretch)                                                                                  \
    case few: NAME(stretches)(kind, few, stretch, p, rows, n, first, columns, taken + (r - block), x, sums); break;

/* Vectors in lanes times the ones of masks: `x` has groups of `group` vectors, each columns × vectors, and the outputs
   are those of the first `vectors`. So many columns of a group at a time as lie in the second-level cache. */
INLINE void NAME(sparse)(const int kind, const Product *p, Scratch *scratch) {
    for (int64_t group = 0; group < p->batch; group += p->group) {
        int64_t size = p->batch - group < p->group ? p->batch - group : p->group;
        int64_t most = CACHED / size / SPARE * SPARE;
        for (int64_t block = p->begin; block < p->end; block += BLOCK) {
            int64_t end = p->end - block < BLOCK ? p->end : block + BLOCK, taken[BLOCK] = {0};
            memset(scratch->sums, 0, (size_t)(BLOCK * size) * sizeof(float));
            for (int64_t first = 0; first < p->columns; first += most) {
                int64_t columns = p->columns - first < most ? p->columns - first : most;
                const float *x = p->x + group * p->columns + first * size;
                for (int64_t r = block; r < end; r += ROWS_SPARSE) {
                    int n = end - r < ROWS_SPARSE ? (int)(end - r) : ROWS_SPARSE;
                    float *sums = scratch->sums + (r - block) * size;
                    Row rows[ROWS_SPARSE];
                    for (int k = 0; k < n; k++) read_row(p, r + k, scratch, k, rows + k);
                    switch (size / LANES) {
                        STRETCHES(1, 64) STRETCHES(2, 64)
#if FEW > 2
                        STRETCHES(3, 64) STRETCHES(4, 64) STRETCHES(5, 64) STRETCHES(6, 64) STRETCHES(7, 64)
                        STRETCHES(8, 64) STRETCHES(9, 32) STRETCHES(10, 32) STRETCHES(11, 32) STRETCHES(12, 32)
                        STRETCHES(13, 32)
#endif
                    }
                }
            }
            for (int64_t j = 0; j < size; j += LANES)
                NAME(put)(p, scratch->sums + j, LANES, LANES * size, size, end - block, p->vectors - group - j,
                          p->bias ? p->bias + block : NULL, p->out + (group + j) * p->rows + block);
        }
    }
}

/* Columns from `first` on of some rows, at most TILE, expanded `stride` apart; the rows that lack are zero. */
INLINE void NAME(expand)(const int kind, const Row *rows, int n, int64_t first, int64_t columns, int64_t *taken, float *w,
                         int64_t stride) {
    for (int k = 0; k < TILE; k++) {
        if (k < n) {
            const float *kept = rows[k].values + taken[k];
            for (int64_t i = 0; i < columns; i += LANES)
                v_store(w + k * stride + i, NAME(weights)(kind, rows + k, first + i, &kept));
            taken[k] = kept - rows[k].values;
        } else {
            memset(w + k * stride, 0, (size_t)columns * sizeof(float));
        }
    }
}

/* Vectors in lanes, a multiple of LANES: `x` has groups of WIDE * LANES vectors, each columns × vectors, and the outputs
   are those of the first `vectors`. A stretch of the columns of many vectors lies in the second-level cache while rows
   are expanded, TILE at a time, into the first-level one; sums of BLOCK rows go on from stretch to stretch. */
INLINE void NAME(dense)(const int kind, const Product *p, Scratch *scratch) {
    const int64_t stride = STRETCH + 16;
    for (int64_t group = 0; group < p->batch; group += VECTORS) {
        int64_t size = p->batch - group < VECTORS ? p->batch - group : VECTORS, most = CACHED / size / SPARE * SPARE;
        if (most > STRETCH) most = STRETCH;
        int64_t stretches = (p->columns + most - 1) / most;
        int64_t stretch = ((p->columns + stretches - 1) / stretches + SPARE - 1) / SPARE * SPARE;
        const int each = (int)(TILE * WIDE * LANES / size) + 1; /* of the next rows are fetched with each panel */
        for (int64_t block = p->begin; block < p->end; block += BLOCK) {
            int64_t end = p->end - block < BLOCK ? p->end : block + BLOCK, taken[BLOCK] = {0};
            memset(scratch->sums, 0, (size_t)((BLOCK + TILE) * size) * sizeof(float));
            for (int64_t first = 0; first < p->columns; first += stretch) {
                int64_t columns = p->columns - first < stretch ? p->columns - first : stretch;
                for (int64_t r = block; r < end; r += TILE) {
                    int n = end - r < TILE ? (int)(end - r) : TILE;
                    float *sums = scratch->sums + (r - block) * size;
                    Row rows[TILE];
                    for (int k = 0; k < n; k++) read_row(p, r + k, scratch, k, rows + k);
                    NAME(expand)(kind, rows, n, first, columns, taken + (r - block), scratch->weights, stride);
                    const float *x = p->x + group * p->columns, *next = rows[0].values + first;
                    const int64_t apart = kind == KEPT ? columns / 2 : p->columns;
                    next += TILE * apart;
                    for (int64_t j = 0; j < size; j += WIDE * LANES, next += each * apart) {
                        const float *of = x + j * p->columns;
                        if (j + WIDE * LANES <= size)
                            NAME(tile_wide)(scratch->weights, columns, of + first * WIDE * LANES, sums + j * TILE, next,
                                            each, apart);
                        else
                            NAME(tile_one)(scratch->weights, columns, of + first * LANES, sums + j * TILE, next, each,
                                           apart);
                    }
                }
            }
            for (int64_t j = 0; j < size; j += LANES) {
                int64_t panel = j / (WIDE * LANES) * (WIDE * LANES);
                NAME(put)(p, scratch->sums + panel * TILE + j - panel, TILE, TILE * size,
                          size - panel < WIDE * LANES ? LANES : WIDE * LANES, end - block, p->vectors - group - j,
                          p->bias ? p->bias + block : NULL, p->out + (group + j) * p->rows + block);
            }
        }
    }
}

INLINE void NAME(kind)(const int kind, const Product *p, Scratch *scratch) {
    switch (p->order) {
    case NEAR: NAME(near)(kind, p, scratch); break;
    case SPARSE: if (kind == ZERO || kind == KEPT) NAME(sparse)(kind, p, scratch); break;
    default: NAME(dense)(kind, p, scratch);
    }
}

static void NAME(multiply)(const Product *p, Scratch *scratch) {
    switch (p->kind) {
    case ZERO: NAME(kind)(ZERO, p, scratch); break;
    case NEGATED: NAME(kind)(NEGATED, p, scratch); break;
    case SECOND: NAME(kind)(SECOND, p, scratch); break;
    default: NAME(kind)(KEPT, p, scratch);
    }
}

#undef STRETCHES
#undef FEW
#undef UNROLLED
#undef TILE
#undef v_turn
#undef v_mul
#undef LANES
#undef NAME
#undef V
#undef v_none
