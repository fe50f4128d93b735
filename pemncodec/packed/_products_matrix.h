/* `Matrix`: the stored matrix of a packed weight, whose buffers have been checked once, and its products with vectors of
   float32, or of bfloat16 in matrix registers.

   `multiply` takes buffers. `quick` takes the tensors of `torch.nn.functional.linear`: it checks only what can change
   between two calls, and declines, with None, whatever is not the usual case. */

enum { SPLIT = 1 << 21, HELD = 1 << 17, WORTH = 768 }; /* products of a row's elements and vectors: threads share rows; the lock is
   kept; vectors that are worth starting threads */
enum { MOST_WATCHED = 3 };
enum { MATRIX_BITS, MATRIX_FIRST, MATRIX_OTHER, MATRIX_STARTS, MATRIX_BUFFERS };

typedef struct {
    PyObject_HEAD
    Product p; /* of no vectors */
    int way, held;
    int wide, narrow, rare; /* zeros are passed over: of WIDE_SPARSE registers or more, of fewer, of more than 2 * BESIDE vectors */
    int64_t most; /* vectors that `quick` takes; more are for a product of torch */
    PyObject *views[MATRIX_BUFFERS]; /* memoryviews: with Py_buffer in it, malloc() would have it, amid freed tensors */
    PyObject *tensors[MOST_WATCHED]; /* those that a call reads, and where they lay */
    void *addresses[MOST_WATCHED];
    int watched;
    PyObject *resident[2]; /* or NULL; memoryviews of the rows, expanded, each `width` floats, and of these in lanes */
    const float *expanded, *turned;
} Matrix;

static PyTypeObject *matrix_type;

enum { WIDE_SPARSE = 4 };

/* Memory of a call. A little is there always; more comes from the system and goes back to it. It is no piece of malloc(),
   which would keep the memory of freed tensors around it: a network would seem to take twice of what it does. What is read
   begins at a line of the cache: registers as wide as that would be read from two. */
enum { MOST_SPARE = 1 << 21, LINE = 64 };
static float spare[MOST_SPARE];
static int spare_taken;

#if defined(__unix__) || defined(__APPLE__)
static void *from_system(size_t bytes) {
    void *found = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
    return found == MAP_FAILED ? NULL : found;
}
static void to_system(void *memory, size_t bytes) { munmap(memory, bytes); }
#else
static void *from_system(size_t bytes) { return malloc(bytes); }
static void to_system(void *memory, size_t bytes) { (void)bytes, free(memory); }
#endif

static float *take_memory(size_t floats) {
    size_t bytes = floats * sizeof(float) + LINE, *taken;
    if (floats <= MOST_SPARE && !spare_taken) {
        spare_taken = 1;
        return spare;
    }
    if (floats > (SIZE_MAX - LINE) / sizeof(float) || (taken = from_system(bytes)) == NULL) return NULL;
    *taken = bytes; /* a line before what is given */
    return (float *)((char *)taken + LINE);
}

static void give_memory(float *memory) {
    if (memory == spare) {
        spare_taken = 0;
    } else if (memory) {
        size_t *taken = (size_t *)(void *)((char *)memory - LINE);
        to_system(taken, *taken);
    }
}

/* How the vectors of a product are laid out and taken: decided by their number and the matrix alone. */
typedef struct {
    int order;
    int64_t chunk, group, rests; /* vectors that are laid out together, in a group, and beside each other at the end */
    size_t inputs, scratch;      /* floats for a chunk, and for one thread */
} Plan;

static Plan plan_for(const Matrix *m, int64_t batch, int threads) {
    const int64_t lanes = WAYS[m->way].lanes, few = WAYS[m->way].few;
    const int64_t registers = (batch + lanes - 1) / lanes;
    Plan plan = {NEAR, batch, 0, 0, 0, 0};
    Product p = m->p;
    if (p.half) {
        plan.order = DENSE;
        plan.inputs = (size_t)(registers * lanes * ((p.columns + 31) / 32 * 32) / 2);
    } else if (4 * batch <= 3 * lanes && (batch <= 2 * BESIDE || !m->rare)) {
        plan.inputs = batch == 1 && p.columns == p.width ? 0 : (size_t)(batch * p.width);
    } else {
        plan.order = (registers >= WIDE_SPARSE ? m->wide : m->narrow) ? SPARSE : DENSE;
        plan.group = WIDE * lanes;
        plan.chunk = dense_group(&p, (int)lanes);
        if (plan.order == SPARSE) {
            const int64_t groups = (registers + few - 1) / few;
            plan.chunk = plan.group = (registers + groups - 1) / groups * lanes;
        }
        if (threads > 1) plan.chunk = (WORTH + plan.chunk - 1) / plan.chunk * plan.chunk;
        if (plan.order == DENSE && p.columns <= LONG && p.columns == p.width && batch > lanes && batch % lanes <= lanes / 2)
            plan.rests = batch % lanes;
        const int64_t most = registers * lanes < plan.chunk ? registers * lanes : plan.chunk;
        plan.inputs = (size_t)(most * p.columns + plan.rests * p.width);
    }
    plan.inputs = (plan.inputs + 15) / 16 * 16;
    p.order = plan.order;
    p.batch = plan.chunk;
    plan.scratch = scratch_sizes(&p).all;
    return plan;
}

/* Products with all vectors of a plan of DENSE by the rows in lanes. */
static void multiply_turned(const Matrix *m, const Plan *plan, float *memory, const float *x, Product *p) {
    const Way *way = &WAYS[m->way];
    float *rest = memory;
    p->kind = PLAIN;
    p->first.values = m->expanded;
    p->turned = m->turned;
    p->apart = 1;
    p->x = x;
    Scratch scratch = scratch_in(p, memory + plan->inputs);
    way->multiply(p, &scratch);
    if (!plan->rests) return;
    way->pack(x + p->vectors * p->columns, plan->rests, p->columns, p->width, rest);
    p->order = NEAR;
    p->out += p->vectors * p->rows;
    p->x = rest;
    p->vectors = p->batch = plan->rests;
    way->multiply(p, &scratch);
}

/* Rows `begin` … of the products with `batch` vectors; 0 if there is no memory. */
static int multiply_matrix(const Matrix *m, const Plan *plan, float *memory, const float *x, int64_t batch, float *out,
                           const float *bias, int64_t begin, int64_t end, int threads) {
    const Way *way = &WAYS[m->way];
    const int64_t lanes = way->lanes, full = batch - plan->rests;
    Job job = {m->way, m->p, 0};
    Product *p = &job.p;
    p->order = plan->order;
    p->bias = bias;
    p->begin = begin;
    p->end = end;
    p->group = plan->group;
    /* The same values, summed in the same order. */
    if (plan->order == DENSE && m->turned && threads < 2 && end - begin == p->rows) {
        p->out = out;
        p->vectors = full;
        multiply_turned(m, plan, memory, x, p);
        return 1;
    }
    if (plan->order == NEAR && m->expanded) {
        p->kind = PLAIN;
        p->first.values = m->expanded;
    }
    for (int64_t first = 0; first < full; first += plan->chunk) {
        const float *from = x + first * p->columns;
        p->vectors = full - first < plan->chunk ? full - first : plan->chunk;
        p->batch = plan->order == NEAR ? p->vectors : (p->vectors + lanes - 1) / lanes * lanes;
        p->out = out + first * p->rows;
        p->x = memory;
        p->rests = first + p->vectors == full ? plan->rests : 0;
        p->rest = memory + p->batch * p->columns;
        if (plan->order != NEAR)
            way->arrange(from, p->vectors, p->columns, p->group, memory);
        else if (plan->inputs)
            way->pack(from, p->vectors, p->columns, p->width, memory);
        else
            p->x = from;
        if (p->rests) way->pack(from + p->vectors * p->columns, p->rests, p->columns, p->width, memory + p->batch * p->columns);
        if (threads > 1 && share.parallel)
            share.parallel(some_rows, &job, (unsigned)threads, 0);
        else
            stretch_of_rows(&job, begin, end, memory + plan->inputs);
    }
    return !job.failed;
}

/* The same with its memory: 0 and an exception if there is none. */
static int run_matrix(const Matrix *m, const float *x, int64_t batch, float *out, const float *bias, int64_t begin,
                      int64_t end, int threads) {
    const Plan plan = plan_for(m, batch, threads);
    const size_t size = plan.inputs + plan.scratch + LINE;
    float *taken = take_memory(size);
    int done;
    if (!taken) {
        PyErr_NoMemory();
        return 0;
    }
    float *memory = (float *)(((uintptr_t)taken + LINE - 1) / LINE * LINE);
    if (batch * m->p.columns <= HELD / (end - begin)) {
        done = multiply_matrix(m, &plan, memory, x, batch, out, bias, begin, end, 1);
    } else {
        Py_BEGIN_ALLOW_THREADS
        done = multiply_matrix(m, &plan, memory, x, batch, out, bias, begin, end, threads);
        Py_END_ALLOW_THREADS
    }
    give_memory(taken);
    if (!done) PyErr_NoMemory();
    return done;
}

/* --- the type ---------------------------------------------------------------------------------------------------- */

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

/* The bits, prototypes and starts are those of all rows. */
static int buffers_fit(const Matrix *m) {
    const Product *p = &m->p;
    const int64_t most = (int64_t)1 << 48;
    if (p->rows < 1 || p->columns < 1 || p->rows > most / p->columns || (p->rows * p->columns + 7) / 8 > p->size) {
        refuse("rows, columns or bits do not fit each other");
        return 0;
    }
    for (int second = 0; second < 2; second++) {
        const Tile *tile = second ? &p->second : &p->first;
        if (p->kind == KEPT || (second && p->kind != SECOND)) continue;
        if (tile->period < 1 || tile->period > tile->length || tile->phase < 0 || tile->phase >= tile->period) {
            refuse("the period or the phase does not fit the prototype");
            return 0;
        }
    }
    if (p->kind == KEPT && PyMemoryView_GET_BUFFER(m->views[MATRIX_STARTS])->len / 8 < p->rows) {
        refuse("the starts do not fit the rows");
        return 0;
    }
    return 1;
}

static void matrix_dealloc(Matrix *m) {
    for (int i = 0; i < m->held; i++) Py_DECREF(m->views[i]);
    for (int i = 0; i < m->watched; i++) Py_DECREF(m->tensors[i]);
    for (int i = 0; i < 2; i++) Py_XDECREF(m->resident[i]);
    PyTypeObject *type = Py_TYPE(m);
    type->tp_free((PyObject *)m);
    Py_DECREF(type);
}

/* Matrix(way, kind, rows, columns, bits, first, period, phase, second, second_period, second_phase, starts, scale, wide,
   narrow, rare, most) */
static PyObject *matrix_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    PyObject *objects[MATRIX_BUFFERS];
    Matrix *m = (Matrix *)type->tp_alloc(type, 0);
    if (!m) return NULL;
    Product *p = &m->p;
    if (kwargs && PyDict_GET_SIZE(kwargs)) {
        refuse("a matrix has no named arguments");
        goto failed;
    }
    if (!PyArg_ParseTuple(args, "iiLLOOLLOLLOfpppL", &m->way, &p->kind, &p->rows, &p->columns, &objects[MATRIX_BITS],
                          &objects[MATRIX_FIRST], &p->first.period, &p->first.phase, &objects[MATRIX_OTHER],
                          &p->second.period, &p->second.phase, &objects[MATRIX_STARTS], &p->scale, &m->wide, &m->narrow, &m->rare,
                          &m->most))
        goto failed;
    if (m->way < 0 || m->way >= COUNT || !usable(m->way)) {
        refuse("this machine has no such instruction set");
        goto failed;
    }
    if (p->kind < ZERO || p->kind > KEPT) {
        refuse("the kind of weights is unknown");
        goto failed;
    }
    if (p->kind == NEGATED || p->kind == SECOND) m->wide = m->narrow = m->rare = 0; /* zero bits stand for values */
    p->half = !WAYS[m->way].few;
    const Py_ssize_t item = p->half ? 2 : 4, items[MATRIX_BUFFERS] = {1, item, item, 8};
    for (Py_buffer view; m->held < MATRIX_BUFFERS; m->held++) {
        if (get(objects[m->held], &view, 0, items[m->held])) goto failed; /* in one piece */
        PyBuffer_Release(&view);
        if (!(m->views[m->held] = PyMemoryView_FromObject(objects[m->held]))) goto failed;
    }
    p->bits = PyMemoryView_GET_BUFFER(m->views[MATRIX_BITS])->buf;
    p->size = PyMemoryView_GET_BUFFER(m->views[MATRIX_BITS])->len;
    p->first.values = PyMemoryView_GET_BUFFER(m->views[MATRIX_FIRST])->buf;
    p->first.length = PyMemoryView_GET_BUFFER(m->views[MATRIX_FIRST])->len / item;
    p->second.values = PyMemoryView_GET_BUFFER(m->views[MATRIX_OTHER])->buf;
    p->second.length = PyMemoryView_GET_BUFFER(m->views[MATRIX_OTHER])->len / item;
    p->starts = PyMemoryView_GET_BUFFER(m->views[MATRIX_STARTS])->buf;
    if (!buffers_fit(m)) goto failed;
    p->width = (p->columns + SPARE - 1) / SPARE * SPARE;
    return (PyObject *)m;
failed:
    Py_DECREF(m);
    return NULL;
}

/* hold(rows, lanes): take the rows, expanded, for products with few vectors; and write them in lanes into other memory,
   or None, for products with many. */
static PyObject *matrix_hold(Matrix *m, PyObject *args) {
    const Product *p = &m->p;
    const int64_t lanes = WAYS[m->way].lanes;
    PyObject *objects[2];
    Py_buffer view;
    if (!PyArg_ParseTuple(args, "OO", &objects[0], &objects[1])) return NULL;
    if (m->resident[0] || p->half) return refuse("rows are taken once, and of float32");
    if (objects[1] != Py_None && (p->columns != p->width || p->columns > LONG)) return refuse("these rows have no lanes");
    for (int i = 0; i < 2 && objects[i] != Py_None; i++) {
        const int64_t count = i ? (p->rows + lanes - 1) / lanes * lanes : p->rows;
        if (get(objects[i], &view, i, sizeof(float))) return NULL;
        const int enough = view.len / (Py_ssize_t)sizeof(float) / p->width >= count;
        PyBuffer_Release(&view);
        if (!enough) return refuse("the memory of expanded rows is too small");
        if (!(m->resident[i] = PyMemoryView_FromObject(objects[i]))) return NULL;
    }
    m->expanded = PyMemoryView_GET_BUFFER(m->resident[0])->buf;
    if (m->resident[1]) {
        float *to = PyMemoryView_GET_BUFFER(m->resident[1])->buf;
        WAYS[m->way].arrange(m->expanded, p->rows, p->columns, WIDE * lanes, to);
        m->turned = to;
    }
    Py_RETURN_NONE;
}

/* multiply(out, x, batch, bias, begin, end, threads) */
static PyObject *matrix_multiply(Matrix *m, PyObject *args) {
    PyObject *to, *from, *bias, *result = NULL;
    Py_buffer out, x, added = {0};
    long long batch, begin, end;
    int threads;
    if (!PyArg_ParseTuple(args, "OOLOLLi", &to, &from, &batch, &bias, &begin, &end, &threads)) return NULL;
    if (batch < 1 || batch > (1LL << 48) / m->p.columns || begin < 0 || begin >= end || end > m->p.rows)
        return refuse("the vectors or the rows have no such number");
    const Py_ssize_t item = m->p.half ? 2 : 4;
    if (get(to, &out, 1, item)) return NULL;
    if (get(from, &x, 0, item)) goto no_inputs;
    if (bias != Py_None && get(bias, &added, 0, 4)) goto done;
    if (x.len / item / m->p.columns < batch || out.len / item / m->p.rows < batch)
        refuse("inputs or outputs are too short");
    else if (added.obj && added.len / 4 < m->p.rows)
        refuse("the bias is too short");
    else if (run_matrix(m, x.buf, batch, out.buf, added.buf, begin, end, threads))
        result = Py_NewRef(Py_None);
    if (added.obj) PyBuffer_Release(&added);
done:
    PyBuffer_Release(&x);
no_inputs:
    PyBuffer_Release(&out);
    return result;
}

/* --- tensors ------------------------------------------------------------------------------------------------------ */

/* What `quick` needs of torch, and its table of C functions of the DLPack standard: a view of a tensor in one call. */
enum { TENSOR, PARAMETER, EMPTY, GRAD_ENABLED, NUM_THREADS, NEEDED };
static PyObject *torch[NEEDED], *name_lane, *name_requires_grad;

typedef struct {
    void *data;
    struct {
        int32_t type, number;
    } device;
    int32_t dims;
    struct {
        uint8_t code, bits;
        uint16_t lanes;
    } dtype;
    int64_t *shape, *strides;
    uint64_t offset;
} View; /* DLTensor */

typedef struct Exchange {
    struct {
        uint32_t major, minor;
    } version;
    struct Exchange *previous;
    void *allocate, *from_object, *to_object;
    int (*view)(void *, View *);
    void *stream;
} Exchange; /* DLPackExchangeAPI */

enum { MAJOR = 1, CPU = 1, FLOAT = 2 };
static int (*view_of)(void *, View *);

/* bind(exchange, Tensor, Parameter, empty, is_grad_enabled, get_num_threads): whether `quick` can be called */
static PyObject *bind_torch(PyObject *self, PyObject *args) {
    (void)self;
    if (PyTuple_GET_SIZE(args) != NEEDED + 1) return refuse("as many things of torch are needed as are named");
    const Exchange *exchange = PyCapsule_GetPointer(PyTuple_GET_ITEM(args, 0), "dlpack_exchange_api");
    if (!exchange) return NULL;
    while (exchange && exchange->version.major != MAJOR) exchange = exchange->previous;
    if (!exchange || !exchange->view) Py_RETURN_FALSE;
    if (!name_lane && !(name_lane = PyUnicode_InternFromString("lane"))) return NULL;
    if (!name_requires_grad && !(name_requires_grad = PyUnicode_InternFromString("requires_grad"))) return NULL;
    for (int i = 0; i < NEEDED; i++) Py_XSETREF(torch[i], Py_NewRef(PyTuple_GET_ITEM(args, i + 1)));
    view_of = exchange->view;
    Py_RETURN_TRUE;
}

static int has_gradient(PyObject *tensor) {
    PyObject *found = PyObject_GetAttr(tensor, name_requires_grad);
    Py_XDECREF(found);
    return found != Py_False;
}

/* A tensor of float32 in one piece on the CPU, without a gradient if these are recorded. */
static int plain(PyObject *tensor, int recorded, View *view) {
    PyObject *type = (PyObject *)Py_TYPE(tensor);
    if ((type != torch[TENSOR] && type != torch[PARAMETER]) || view_of(tensor, view)) return 0;
    if (view->device.type != CPU || view->dtype.code != FLOAT || view->dtype.bits != 32 || view->dtype.lanes != 1) return 0;
    int64_t apart = 1;
    for (int32_t i = view->dims; view->strides && i-- > 0; apart *= view->shape[i])
        if (view->shape[i] != 1 && view->strides[i] != apart) return 0;
    view->data = (char *)view->data + view->offset;
    return view->data && !(recorded && has_gradient(tensor));
}

/* The tensors lie where they did when the buffers were taken: sharing memory with other processes moves it. */
static int stayed(const Matrix *m) {
    for (int i = 0; i < m->watched; i++) {
        View view;
        if (view_of(m->tensors[i], &view) || (char *)view.data + view.offset != m->addresses[i]) return 0;
    }
    return 1;
}

/* watch(tensors): `linear` may be called, as long as these stay where they are. */
static PyObject *matrix_watch(Matrix *m, PyObject *tensors) {
    if (!PyTuple_Check(tensors) || PyTuple_GET_SIZE(tensors) > MOST_WATCHED || !view_of || m->watched || m->p.half)
        return refuse("there are at most three tensors to watch, once, after those of torch");
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(tensors); i++) {
        View view;
        PyObject *one = PyTuple_GET_ITEM(tensors, i);
        if (view_of(one, &view)) return NULL;
        m->addresses[i] = (char *)view.data + view.offset;
        m->tensors[m->watched++] = Py_NewRef(one);
    }
    Py_RETURN_NONE;
}

/* Outputs of the shape of inputs, but for the last dimension. */
static PyObject *outputs_for(const Matrix *m, const View *x, View *view) {
    enum { MOST = 8 };
    PyObject *sizes[MOST], *out = NULL;
    int32_t made = 0;
    if (x->dims > MOST) return NULL;
    for (; made < x->dims; made++)
        if (!(sizes[made] = PyLong_FromLongLong(made == x->dims - 1 ? m->p.rows : x->shape[made]))) break;
    if (made == x->dims) out = PyObject_Vectorcall(torch[EMPTY], sizes, (size_t)made, NULL);
    while (made-- > 0) Py_DECREF(sizes[made]);
    /* A default dtype, a default device or a mode of torch may have made something else. */
    if (out && ((PyObject *)Py_TYPE(out) != torch[TENSOR] || !plain(out, 0, view))) Py_CLEAR(out);
    return out;
}

/* Threads of torch, no more than are worth it. */
static int wanted_threads(const Matrix *m, int64_t batch) {
    PyObject *found = PyObject_CallNoArgs(torch[NUM_THREADS]);
    const int64_t work = batch * m->p.rows * m->p.columns, most = found ? PyLong_AsLong(found) : 1;
    const int64_t worth = 1 + work / SPLIT < m->p.rows ? 1 + work / SPLIT : m->p.rows;
    Py_XDECREF(found);
    return (int)(most < worth ? most : worth);
}

/* The outputs; NULL, with an exception or without one, if this is not the usual case. */
static PyObject *linear_of(const Matrix *m, PyObject *input, PyObject *weight, PyObject *bias) {
    View x, added, out;
    PyObject *on = PyObject_CallNoArgs(torch[GRAD_ENABLED]), *made;
    Py_XDECREF(on);
    const int recorded = on != Py_False;
    if (recorded && has_gradient(weight)) return NULL; /* it is refused elsewhere */
    /* A column alone may have any stride, and be the negative of what lies there. */
    if (!m->watched || m->p.columns < 2 || !stayed(m) || !plain(input, recorded, &x)) return NULL;
    if (!x.dims || x.shape[x.dims - 1] != m->p.columns) return NULL;
    int64_t batch = 1;
    for (int32_t i = 0; i < x.dims - 1; i++) batch *= x.shape[i];
    if (batch < 1 || batch > m->most) return NULL;
    if (bias && (!plain(bias, recorded, &added) || added.dims != 1 || added.shape[0] != m->p.rows)) return NULL;
    int threads = 1;
    if (batch * m->p.columns >= SPLIT / m->p.rows && (threads = wanted_threads(m, batch)) > 1 && !share.parallel) return NULL;
    const float *from = x.data, *more = bias ? added.data : NULL;
    if (!(made = outputs_for(m, &x, &out))) return NULL;
    if (!run_matrix(m, from, batch, out.data, more, 0, m->p.rows, threads)) Py_CLEAR(made);
    return made;
}

/* quick(arguments): the outputs of torch.nn.functional.linear for a weight that has a `lane`, a `Matrix`; or None */
static PyObject *quick(PyObject *self, PyObject *args) {
    (void)self;
    if (!PyTuple_Check(args)) return refuse("the arguments are no tuple");
    const Py_ssize_t count = PyTuple_GET_SIZE(args);
    if (count < 2 || count > 3 || !view_of) Py_RETURN_NONE;
    PyObject *weight = PyTuple_GET_ITEM(args, 1), *bias = count > 2 ? PyTuple_GET_ITEM(args, 2) : Py_None, *out = NULL;
    PyObject *lane = PyObject_GetAttr(weight, name_lane);
    if (lane && Py_TYPE(lane) == matrix_type)
        out = linear_of((Matrix *)lane, PyTuple_GET_ITEM(args, 0), weight, bias == Py_None ? NULL : bias);
    Py_XDECREF(lane);
    if (out) return out;
    PyErr_Clear(); /* the other way reports it */
    Py_RETURN_NONE;
}

static PyMethodDef matrix_methods[] = {
    {"multiply", (PyCFunction)matrix_multiply, METH_VARARGS, "Multiply vectors, all in buffers."},
    {"hold", (PyCFunction)matrix_hold, METH_VARARGS, "Take the expanded rows, and write them in lanes."},
    {"watch", (PyCFunction)matrix_watch, METH_O, "Take the tensors whose memory is read, for `quick`."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot matrix_slots[] = {
    {Py_tp_new, matrix_new},
    {Py_tp_dealloc, matrix_dealloc},
    {Py_tp_methods, matrix_methods},
    {0, NULL},
};

static PyType_Spec matrix_spec = {"pemncodec.packed._products.Matrix", sizeof(Matrix), 0, Py_TPFLAGS_DEFAULT, matrix_slots};
