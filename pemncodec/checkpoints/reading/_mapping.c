/* Mapped memory that survives its file: a page that is gone becomes zeros, and is counted.

   A file that shrinks takes pages from its mappings; touching one raises SIGBUS. For ranges that were announced the
   handler maps a page of zeros there and lets the access go on; `faults` tells afterwards that it happened. Any other
   SIGBUS goes to whoever had the signal before. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define RANGES 4096

typedef struct {
    _Atomic uintptr_t start;
    _Atomic size_t size;
} Range;

static Range ranges[RANGES];
static _Atomic size_t used = 0; /* ranges[0 .. used) may hold something */
static _Atomic unsigned long count = 0;
static struct sigaction before;
static long page = 0;

static void on_sigbus(int number, siginfo_t *info, void *context)
{
    uintptr_t address = (uintptr_t)info->si_addr;
    size_t end = atomic_load(&used);
    for (size_t i = 0; i < end; i++) {
        uintptr_t start = atomic_load(&ranges[i].start);
        if (start && address >= start && address - start < atomic_load(&ranges[i].size)) {
            void *where = (void *)(address & ~(uintptr_t)(page - 1));
            if (mmap(where, (size_t)page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
                where) {
                atomic_fetch_add(&count, 1);
                return;
            }
            break;
        }
    }
    /* not ours: the access is repeated under the handler that was there before */
    (void)number;
    (void)context;
    sigaction(SIGBUS, &before, NULL);
}

static int install(void)
{
    struct sigaction now, action;
    if (sigaction(SIGBUS, NULL, &now))
        return 0;
    if ((now.sa_flags & SA_SIGINFO) && now.sa_sigaction == on_sigbus)
        return 1;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_sigbus;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    before = now;
    return sigaction(SIGBUS, &action, NULL) == 0;
}

static PyObject *protect(PyObject *self, PyObject *args)
{
    unsigned long long start, size;
    (void)self;
    if (!PyArg_ParseTuple(args, "KK", &start, &size))
        return NULL;
    page = sysconf(_SC_PAGESIZE);
    if (!start || !size || page <= 0 || !install())
        Py_RETURN_FALSE;
    for (size_t i = 0; i < RANGES; i++) {
        if (atomic_load(&ranges[i].start) == 0) {
            atomic_store(&ranges[i].size, (size_t)size);
            atomic_store(&ranges[i].start, (uintptr_t)start);
            if (i >= atomic_load(&used))
                atomic_store(&used, i + 1);
            Py_RETURN_TRUE;
        }
    }
    Py_RETURN_FALSE;
}

static PyObject *release(PyObject *self, PyObject *argument)
{
    unsigned long long start = PyLong_AsUnsignedLongLong(argument);
    (void)self;
    if (PyErr_Occurred())
        return NULL;
    for (size_t i = 0; i < RANGES; i++) {
        if (atomic_load(&ranges[i].start) == (uintptr_t)start) {
            atomic_store(&ranges[i].start, 0);
            break;
        }
    }
    Py_RETURN_NONE;
}

static PyObject *faults(PyObject *self, PyObject *nothing)
{
    (void)self;
    (void)nothing;
    return PyLong_FromUnsignedLong(atomic_load(&count));
}

static PyMethodDef methods[] = {
    {"protect", protect, METH_VARARGS, "protect(address, size) -> bool: pages of this mapping that are gone become zeros."},
    {"release", release, METH_O, "release(address): the mapping that begins there is no more."},
    {"faults", faults, METH_NOARGS, "faults() -> int: how many pages were gone so far."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_mapping", "Mapped memory that survives its file.", -1,
                                    methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__mapping(void)
{
    return PyModule_Create(&module);
}
