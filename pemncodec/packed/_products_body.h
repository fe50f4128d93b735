/* The products of `_products.c` in one instruction set: included once for each.

   Before it stand LANES, the type V of so many floats, and the operations on it; NAME(x) makes names of this set.
   Each function takes the sum of an element in one order, whatever rows are asked for and in whatever pieces: `block` in
   one, two or four sums of LANES columns each, `dense` and `sparse` column after column. */

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

/* The weights of LANES columns of a row, `i` columns after those at `first`, whose next 64 bits are `bits`. */
INLINE V NAME(weights)(const int kind, const Row *row, B bits, int64_t first, const int i, const float **kept) {
    (void)bits;
    switch (kind) {
    case ZERO: return v_zero(bits, i, row->values + first + i);
    case NEGATED: return v_negated(bits, i, row->values + first + i);
    case SECOND: return v_second(bits, i, row->values + first + i, row->others + first + i);
    case PLAIN: return v_load(row->values + first + i);
    default: return v_kept(bits, i, kept);
    }
}

/* Vectors in rows -> groups of BESIDE of them beside each other: LANES columns of one after those of the other. */
static void NAME(pack)(const float *x, int64_t vectors, int64_t columns, int64_t width, float *to) {
    for (int64_t first = 0; first < vectors; first += BESIDE, x += BESIDE * columns) {
        const int64_t count = vectors - first < BESIDE ? vectors - first : BESIDE;
        int64_t i = 0;
        for (; i + LANES <= columns; i += LANES)
            for (int64_t k = 0; k < count; k++, to += LANES) v_store(to, v_load(x + k * columns + i));
        for (; i < width; i += LANES)
            for (int64_t k = 0; k < count; k++, to += LANES)
                for (int64_t j = 0; j < LANES; j++) to[j] = i + j < columns ? x[k * columns + i + j] : 0;
    }
}

/* `height` rows times `count` vectors beside each other, in SUMS registers: `out` has the sums of a vector after those of
   the one before. Each sum is taken in `deep` registers in turn. */
INLINE void NAME(block)(const int kind, const int height, const int count, const Row *rows, const float *x, int64_t width,
                        float *out) {
    enum { MOST = SUMS };
    const int all = height * count, deep = MOST / all >= 4 ? 4 : MOST / all >= 2 ? 2 : 1;
    V s[MOST];
    Row at[4]; /* which go on: the compiler has no register for the first column beside them */
    UNROLLED for (int r = 0; r < height; r++) at[r] = rows[r];
    UNROLLED for (int k = 0; k < MOST; k++) s[k] = v_none();
    for (const float *end = x + count * width; x < end;) {
        B bits[4];
        if (kind == KEPT && count == 1) UNROLLED for (int r = 0; r < height; r++) PREFETCH(at[r].values + 1024);
        UNROLLED for (int r = 0; r < height; r++) {
            if (count == 1 && kind != PLAIN) PREFETCH(at[r].bits + 2048);
            bits[r] = v_bits(at[r].bits);
        }
        UNROLLED for (int i = 0; i < 64; i += LANES, x += count * LANES) {
            V w[4], *sums = s + i / LANES % deep * all;
            UNROLLED for (int r = 0; r < height; r++) w[r] = NAME(weights)(kind, at + r, bits[r], 0, i, &at[r].values);
            UNROLLED for (int k = 0; k < count; k++) {
                V v = v_load(x + k * LANES);
                v_once(v);
                UNROLLED for (int r = 0; r < height; r++) sums[k * height + r] = v_fma(w[r], v, sums[k * height + r]);
            }
        }
        UNROLLED for (int r = 0; r < height; r++) {
            at[r].bits += kind == PLAIN ? 0 : 8;
            if (kind != KEPT) at[r].values += 64;
            if (kind == SECOND) at[r].others += 64;
        }
    }
    if (deep == 4)
        UNROLLED for (int k = 0; k < all; k++)
            s[k] = v_add(v_add(s[k], s[(all + k) % MOST]), v_add(s[(2 * all + k) % MOST], s[(3 * all + k) % MOST]));
    if (deep == 2) UNROLLED for (int k = 0; k < all; k++) s[k] = v_add(s[k], s[(all + k) % MOST]);
    v_sums(s, all, out);
}

#if defined(v_word)
/* `block` of four rows and one vector where a zero bit stands for zero: the bits of 32 columns are spread at a time. */
INLINE void NAME(block_one)(const Row *rows, const float *x, int64_t width, float *out) {
    V s[SUMS];
    Row at[4];
    UNROLLED for (int r = 0; r < 4; r++) at[r] = rows[r];
    UNROLLED for (int k = 0; k < SUMS; k++) s[k] = v_none();
    for (const float *end = x + width; x < end; x += 32) {
        V v[32 / LANES];
        UNROLLED for (int i = 0; i < 32 / LANES; i++) v[i] = v_load(x + i * LANES);
        UNROLLED for (int r = 0; r < 4; r++) {
            PREFETCH(at[r].bits + 2048);
            const W word = v_word(at[r].bits);
            UNROLLED for (int i = 0; i < 32 / LANES; i++) {
                V *sum = s + i % 2 * 4 + r;
                *sum = v_fma(v_zero_of(word, i * LANES, at[r].values + i * LANES), v[i], *sum);
            }
            at[r].bits += 4;
            at[r].values += 32;
        }
    }
    UNROLLED for (int k = 0; k < 4; k++) s[k] = v_add(s[k], s[4 + k]);
    v_sums(s, 4, out);
}
#endif

/* Four rows, of which those after the first may be the first again, times `count` vectors. */
INLINE void NAME(block_rows)(const int kind, const int count, const Row *rows, const float *x, int64_t width, float *out) {
#if defined(v_word)
    if (kind == ZERO && count == 1) {
        NAME(block_one)(rows, x, width, out);
        return;
    }
#endif
    if (4 * count <= SUMS) {
        NAME(block)(kind, 4, count, rows, x, width, out);
    } else {
        float found[2][SUMS];
        NAME(block)(kind, 2, count, rows, x, width, found[0]);
        NAME(block)(kind, 2, count, rows + 2, x, width, found[1]);
        for (int k = 0; k < count; k++)
            for (int r = 0; r < 4; r++) out[4 * k + r] = found[r / 2][2 * k + r % 2];
    }
}

/* Four rows, of which the first `n` count, times vectors beside each other: their outputs are p->rows apart. */
INLINE void NAME(near_rows)(const int kind, const Product *p, const Row *rows, const int64_t *numbers, int n,
                            const float *x, int64_t vectors, float *to) {
    const int whole = n == 4 && numbers[3] - numbers[0] == 3;
    for (int64_t j = 0; j < vectors; x += BESIDE * p->width, to += BESIDE * p->rows, j += BESIDE) {
        float found[4 * BESIDE];
        int count = vectors - j < BESIDE ? (int)(vectors - j) : BESIDE;
        switch (count) {
        case 1: NAME(block_rows)(kind, 1, rows, x, p->width, found); break;
        case 2: NAME(block_rows)(kind, 2, rows, x, p->width, found); break;
        case 3: NAME(block_rows)(kind, 3, rows, x, p->width, found); break;
        default: NAME(block_rows)(kind, 4, rows, x, p->width, found);
        }
        if (!whole) {
            for (int b = 0; b < count; b++)
                for (int k = 0; k < n; k++) to[b * p->rows + numbers[k]] = result(p, found[4 * b + k], numbers[k]);
            continue;
        }
        float added[4] = {0};
        if (p->bias) memcpy(added, p->bias + numbers[0], sizeof added);
        for (int b = 0; b < count; b++) {
            float four[4];
            for (int k = 0; k < 4; k++) four[k] = found[4 * b + k] * p->scale;
            if (p->bias)
                for (int k = 0; k < 4; k++) four[k] += added[k];
            memcpy(to + b * p->rows + numbers[0], four, sizeof four);
        }
    }
}

/* Vectors beside each other. Rows of weights `apart` from each other are taken together: they begin near each other in
   the prototype, which lies in the first-level cache then. */
INLINE void NAME(near)(const int kind, const Product *p, Scratch *scratch) {
    Places at[4], next = places_of(kind, p, p->begin);
    const Places step = steps_of(kind, p, 1), jump = steps_of(kind, p, p->apart);
    for (int64_t first = p->begin; first < p->end; first += 4 * p->apart) {
        UNROLLED for (int k = 0; k < 4; k++) {
            at[k].first = next.first; /* each number by itself: a copy of both would wait for the last one */
            at[k].second = next.second;
            go_on(kind, p, &next, &jump);
        }
        for (int64_t r = first; r < first + p->apart && r < p->end; r++) {
            Row rows[4];
            int64_t numbers[4];
            int n = 0;
            for (; n < 4 && r + n * p->apart < p->end; n++) {
                numbers[n] = r + n * p->apart;
                read_row(kind, p, numbers[n], at + n, scratch, n, rows + n);
            }
            for (int k = 0; k < 4; k++) go_on(kind, p, at + k, &step);
            for (int k = n; k < 4; k++) rows[k] = rows[0];
            NAME(near_rows)(kind, p, rows, numbers, n, p->x, p->batch, p->out);
        }
    }
}

#if SUMS == 16
/* `height` rows that are expanded, `width` from each other, times `count` vectors beside each other: the sums of
   `block`, taken of more rows, for which there are registers where masks need none. */
INLINE void NAME(tall)(const int height, const int count, const float *w, const float *x, int64_t width, float *out) {
    enum { MOST = 24 };
    const int all = height * count, deep = 4 * count <= SUMS / 2 ? 2 : 1;
    V s[MOST];
    UNROLLED for (int k = 0; k < MOST; k++) s[k] = v_none();
    for (const float *end = w + width; w < end;) {
        UNROLLED for (int i = 0; i < 2; i++, w += LANES, x += count * LANES) {
            V v[BESIDE], *sums = s + i % deep * all;
            UNROLLED for (int k = 0; k < count; k++) v[k] = v_load(x + k * LANES);
            UNROLLED for (int r = 0; r < height; r++) {
                V one = v_load(w + r * width);
                UNROLLED for (int k = 0; k < count; k++) sums[k * height + r] = v_fma(one, v[k], sums[k * height + r]);
            }
        }
    }
    if (deep == 2) UNROLLED for (int k = 0; k < all; k++) s[k] = v_add(s[k], s[(all + k) % MOST]);
    v_sums(s, all < 16 ? all : 16, out);
    if (all > 16) v_sums(s + 16, all - 16, out + 16);
}

/* Two or three vectors; returns the first row that is left. */
INLINE int64_t NAME(tall_rows)(const int height, const int count, const Product *p) {
    int64_t row = p->begin;
    for (; row + height <= p->end; row += height) {
        float found[32];
        NAME(tall)(height, count, p->first.values + row * p->width, p->x, p->width, found);
        for (int b = 0; b < count; b++)
            for (int k = 0; k < height; k++) p->out[b * p->rows + row + k] = result(p, found[b * height + k], row + k);
    }
    return row;
}

static void NAME(plain_rows)(const Product *p, Scratch *scratch) {
    Product rest = *p;
    if (p->batch == 2) rest.begin = NAME(tall_rows)(6, 2, p);
    if (p->batch == 3) rest.begin = NAME(tall_rows)(8, 3, p);
    if (rest.begin < rest.end) NAME(near)(PLAIN, &rest, scratch);
}
#else
static void NAME(plain_rows)(const Product *p, Scratch *scratch) { NAME(near)(PLAIN, p, scratch); }
#endif

/* `tall` rows, expanded APART from each other, times `few` * LANES vectors in lanes: added to `s`, column after column.
   Meanwhile `count` stretches of values are fetched, which lie `apart` from each other. */
INLINE void NAME(tile)(const int tall, const int few, const float *w, int64_t columns, const float *x, V s[TILE][WIDE], const float *next,
                       int count, int64_t apart) {
    for (int64_t first = 0; first < columns; first += 16) {
        const int64_t end = columns - first < 16 ? columns : first + 16;
        for (int k = 0; k < count; k++) PREFETCH_NEXT(next + k * apart + first);
        for (int64_t i = first; i < end; i++, x += few * LANES) {
            V v[WIDE];
            UNROLLED for (int b = 0; b < few; b++) v[b] = v_load(x + b * LANES);
            UNROLLED for (int k = 0; k < tall; k++) {
                V one = v_all(w[k * APART + i]);
                UNROLLED for (int b = 0; b < few; b++) s[k][b] = v_fma(one, v[b], s[k][b]);
            }
        }
    }
}

/* The same from the first column to the last one: the outputs of `n` rows and `vectors` of the vectors. */
INLINE void NAME(tile_whole)(const int tall, const int few, const Product *p, const float *w, const float *x, int n, int64_t vectors,
                             int64_t row, float *out, const float *next, int count, int64_t apart) {
    V s[TILE][WIDE];
    const V scale = v_all(p->scale);
    UNROLLED for (int k = 0; k < tall; k++)
        UNROLLED for (int b = 0; b < few; b++) s[k][b] = v_none();
    NAME(tile)(tall, few, w, p->columns, x, s, next, count, apart);
    float added[(TILE + LANES - 1) / LANES * LANES] = {0};
    if (p->bias) memcpy(added, p->bias + row, (size_t)n * sizeof(float));
    UNROLLED for (int b = 0; b < few; b++)
        UNROLLED for (int k = 0; k < tall; k += LANES) {
            V t[LANES], more = v_load(added + k);
            UNROLLED for (int i = 0; i < LANES; i++) t[i] = k + i < tall ? v_mul(s[k + i < tall ? k + i : 0][b], scale) : v_none();
            v_turn(t);
            float *to = out + b * LANES * p->rows + row + k;
            const int some = n - k < LANES ? n - k : LANES;
            UNROLLED for (int j = 0; j < LANES; j++, to += p->rows)
                if (some > 0 && b * LANES + j < vectors) v_some(to, v_add(t[j], more), some);
        }
}

/* Some columns, of which those before are in `sums` already, unless they are the first ones. */
INLINE void NAME(tile_part)(const int few, const float *w, int64_t columns, const float *x, float *sums, int begins,
                            const float *next, int count, int64_t apart) {
    V s[TILE][WIDE];
    UNROLLED for (int k = 0; k < TILE; k++)
        UNROLLED for (int b = 0; b < few; b++) s[k][b] = begins ? v_none() : v_load(sums + (k * few + b) * LANES);
    NAME(tile)(TILE, few, w, columns, x, s, next, count, apart);
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

static void NAME(part_wide)(const float *w, int64_t columns, const float *x, float *sums, int begins, const float *next,
                            int count, int64_t apart) {
    NAME(tile_part)(WIDE, w, columns, x, sums, begins, next, count, apart);
}

static void NAME(part_one)(const float *w, int64_t columns, const float *x, float *sums, int begins, const float *next,
                           int count, int64_t apart) {
    NAME(tile_part)(1, w, columns, x, sums, begins, next, count, apart);
}

static void NAME(whole_wide)(const Product *p, const float *w, const float *x, int n, int64_t vectors, int64_t row,
                             float *out, const float *next, int count, int64_t apart) {
#if TILE > 8
    if (n <= 4) {
        NAME(tile_whole)(4, WIDE, p, w, x, n, vectors, row, out, next, count, apart);
        return;
    }
    if (n <= 8) {
        NAME(tile_whole)(8, WIDE, p, w, x, n, vectors, row, out, next, count, apart);
        return;
    }
#endif
    NAME(tile_whole)(TILE, WIDE, p, w, x, n, vectors, row, out, next, count, apart);
}

static void NAME(whole_one)(const Product *p, const float *w, const float *x, int n, int64_t vectors, int64_t row,
                            float *out, const float *next, int count, int64_t apart) {
#if TILE > 8
    if (n <= 4) {
        NAME(tile_whole)(4, 1, p, w, x, n, vectors, row, out, next, count, apart);
        return;
    }
    if (n <= 8) {
        NAME(tile_whole)(8, 1, p, w, x, n, vectors, row, out, next, count, apart);
        return;
    }
#endif
    NAME(tile_whole)(TILE, 1, p, w, x, n, vectors, row, out, next, count, apart);
}

static void NAME(rest)(const Product *p, const float *w, int n, int64_t row) {
    for (int first = 0; first < n; first += 4) {
        Row rows[4];
        int64_t numbers[4];
        for (int k = 0; k < 4; k++) {
            rows[k] = (Row){(const Byte *)w, w + (first + k < TILE ? first + k : first) * APART, NULL};
            numbers[k] = row + first + k;
        }
        NAME(near_rows)(PLAIN, p, rows, numbers, n - first < 4 ? n - first : 4, p->rest, p->rests,
                        p->out + p->batch * p->rows);
    }
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
                    read_rows(kind, p, r, n, scratch, rows);
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

/* Columns from `first` on of some rows, at most TILE, expanded APART from each other; the rows that lack are zero. */
INLINE void NAME(expand)(const int kind, const Row *rows, int n, int64_t first, int64_t columns, int64_t *taken, float *w) {
    for (int k = 0; k < TILE; k++) {
        if (k < n) {
            const float *kept = rows[k].values + taken[k];
            for (int64_t i = first; i < first + columns; i += 64) {
                const B bits = v_bits(rows[k].bits + i / 8);
                UNROLLED for (int j = 0; j < 64; j += LANES)
                    v_store(w + k * APART + i - first + j, NAME(weights)(kind, rows + k, bits, i, j, &kept));
            }
            taken[k] = kept - rows[k].values;
        } else {
            memset(w + k * APART, 0, (size_t)columns * sizeof(float));
        }
    }
}

/* Vectors in lanes, a multiple of LANES: `x` has groups of WIDE * LANES vectors, each columns × vectors, and the outputs
   are those of the first `vectors`. All columns of TILE rows are expanded into the first-level cache. */
INLINE void NAME(dense)(const int kind, const Product *p, Scratch *scratch) {
    const int64_t apart = kind == KEPT ? p->columns / 2 : p->columns;
    const int64_t most = dense_group(p, LANES);
    int64_t group = 0;
    do {
        const int64_t size = p->batch - group < most ? p->batch - group : most;
        const int each = p->first.length <= NEAR_BY || !size ? 0 : (int)(TILE * WIDE * LANES / size) + 1;
        for (int64_t r = p->begin; r < p->end; r += TILE) {
            int n = p->end - r < TILE ? (int)(p->end - r) : TILE;
            int64_t taken[TILE] = {0};
            Row rows[TILE];
            read_rows(kind, p, r, n, scratch, rows);
            NAME(expand)(kind, rows, n, 0, p->width, taken, scratch->weights);
            const float *x = p->x + group * p->columns, *next = rows[0].values + TILE * apart;
            for (int64_t j = 0; j < size; j += WIDE * LANES, next += each * apart) {
                float *out = p->out + (group + j) * p->rows;
                if (j + WIDE * LANES <= size)
                    NAME(whole_wide)(p, scratch->weights, x + j * p->columns, n, p->vectors - group - j, r, out, next,
                                     each, apart);
                else
                    NAME(whole_one)(p, scratch->weights, x + j * p->columns, n, p->vectors - group - j, r, out, next,
                                     each, apart);
            }
            if (p->rests && group + size == p->batch) NAME(rest)(p, scratch->weights, n, r);
        }
        group += size;
    } while (group < p->batch);
}

/* `tall` of the vectors, which lie APART from each other, times `few` * LANES rows in lanes: outputs of `n` vectors. */
INLINE void NAME(tile_turned)(const int tall, const int few, const Product *p, const float *x, const float *w, int n, int64_t row, float *out) {
    V s[TILE][WIDE];
    const V scale = v_all(p->scale);
    UNROLLED for (int k = 0; k < tall; k++)
        UNROLLED for (int b = 0; b < few; b++) s[k][b] = v_none();
    NAME(tile)(tall, few, x, p->columns, w, s, w, 0, 0);
    UNROLLED for (int b = 0; b < few; b++) {
        const int64_t left = p->rows - row - b * LANES;
        const int some = left < LANES ? (int)left : LANES;
        float added[LANES] = {0};
        if (p->bias) memcpy(added, p->bias + row + b * LANES, (size_t)some * sizeof(float));
        const V more = v_load(added);
        float *to = out + row + b * LANES;
        UNROLLED for (int k = 0; k < tall; k++, to += p->rows)
            if (k < n) v_some(to, v_add(v_mul(s[k][b], scale), more), some);
    }
}

INLINE void NAME(turned_rows)(const int tall, const Product *p, const float *x, int n, float *out) {
    const float *w = p->turned;
    for (int64_t row = 0; row < p->rows; row += WIDE * LANES)
        if (p->rows - row > LANES) {
            NAME(tile_turned)(tall, WIDE, p, x, w, n, row, out);
            w += WIDE * LANES * p->columns;
        } else {
            NAME(tile_turned)(tall, 1, p, x, w, n, row, out);
        }
}

/* All rows in lanes, as `arrange` leaves them, times vectors as they are given: the sums of `dense`, without vectors or
   outputs to turn. */
static void NAME(turned)(const Product *p, Scratch *scratch) {
    const size_t size = (size_t)p->columns * sizeof(float);
    for (int64_t j = 0; j < p->vectors; j += TILE) {
        const int n = p->vectors - j < TILE ? (int)(p->vectors - j) : TILE;
        float *out = p->out + j * p->rows;
        for (int k = 0; k < TILE; k++) /* the last vector in place of those that lack */
            memcpy(scratch->weights + k * APART, p->x + (j + (k < n ? k : n - 1)) * p->columns, size);
#if TILE > 8
        if (n <= 4) {
            NAME(turned_rows)(4, p, scratch->weights, n, out);
            continue;
        }
        if (n <= 8) {
            NAME(turned_rows)(8, p, scratch->weights, n, out);
            continue;
        }
#endif
        NAME(turned_rows)(TILE, p, scratch->weights, n, out);
    }
}

/* `dense` of long rows: a stretch of the columns of many vectors lies in the second-level cache while rows are
   expanded; sums of BLOCK rows go on from stretch to stretch. */
INLINE void NAME(dense_long)(const int kind, const Product *p, Scratch *scratch) {
    for (int64_t group = 0; group < p->batch; group += VECTORS) {
        int64_t size = p->batch - group < VECTORS ? p->batch - group : VECTORS, most = CACHED / size / SPARE * SPARE;
        if (most > STRETCH) most = STRETCH;
        int64_t stretches = (p->columns + most - 1) / most;
        int64_t stretch = ((p->columns + stretches - 1) / stretches + SPARE - 1) / SPARE * SPARE;
        /* of the next rows are fetched with each panel */
        const int each = p->first.length <= NEAR_BY ? 0 : (int)(TILE * WIDE * LANES / size) + 1;
        for (int64_t block = p->begin; block < p->end; block += BLOCK) {
            int64_t end = p->end - block < BLOCK ? p->end : block + BLOCK, taken[BLOCK + TILE] = {0};
            for (int64_t first = 0; first < p->columns; first += stretch) {
                int64_t columns = p->columns - first < stretch ? p->columns - first : stretch;
                for (int64_t r = block; r < end; r += TILE) {
                    int n = end - r < TILE ? (int)(end - r) : TILE;
                    float *sums = scratch->sums + (r - block) * size;
                    Row rows[TILE];
                    read_rows(kind, p, r, n, scratch, rows);
                    NAME(expand)(kind, rows, n, first, columns, taken + (r - block), scratch->weights);
                    const float *x = p->x + group * p->columns, *next = rows[0].values + first;
                    const int64_t apart = kind == KEPT ? columns / 2 : p->columns;
                    next += TILE * apart;
                    for (int64_t j = 0; j < size; j += WIDE * LANES, next += each * apart) {
                        const float *of = x + j * p->columns;
                        if (j + WIDE * LANES <= size)
                            NAME(part_wide)(scratch->weights, columns, of + first * WIDE * LANES, sums + j * TILE, !first,
                                            next, each, apart);
                        else
                            NAME(part_one)(scratch->weights, columns, of + first * LANES, sums + j * TILE, !first, next,
                                           each, apart);
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
    default:
        if (p->columns <= LONG)
            NAME(dense)(kind, p, scratch);
        else
            NAME(dense_long)(kind, p, scratch);
    }
}

static void NAME(multiply)(const Product *p, Scratch *scratch) {
    switch (p->kind) {
    case ZERO: NAME(kind)(ZERO, p, scratch); break;
    case NEGATED: NAME(kind)(NEGATED, p, scratch); break;
    case SECOND: NAME(kind)(SECOND, p, scratch); break;
    case PLAIN:
        if (p->order == NEAR)
            NAME(plain_rows)(p, scratch);
        else
            NAME(turned)(p, scratch);
        break;
    default: NAME(kind)(KEPT, p, scratch);
    }
}

#undef STRETCHES
#undef FEW
#undef SUMS
#undef UNROLLED
#undef TILE
#undef v_turn
#undef v_mul
#undef LANES
#undef NAME
#undef V
#undef B
#undef v_none
