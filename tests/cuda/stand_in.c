/* A stand-in for CUDA's libraries on a machine without a GPU: it keeps a device's memory and computes nothing.
 *
 * ONNX Runtime's CUDA provider is real: it takes or refuses nodes, asks for memory, copies and launches as it would on a
 * GPU. Kernels are counted and not run, so numbers that come out mean nothing.
 *
 * - Memory of the device cannot be touched by the program but through copies: whoever does ends by a segmentation fault.
 * - CUDA_STAND_IN_BYTES says how much of it there is.
 * - CUDA_STAND_IN_WORKSPACE says how much of it each of cuDNN's engines asks for beside its tensors.
 * - CUDA_STAND_IN_FAILS names a call, the first and the last one that fails, and their status: cudnnBackendExecute:3:3:4004.
 * - CUDA_STAND_IN_REPORT names a file that gets a line of JSON with what was counted when the process ends.
 * - CUDA_STAND_IN_NOTE is the numerical note of cuDNN's one engine, as a number; else it has none.
 * - Kernels of ours, which the driver launches, must be code for GPUs and get addresses of the device; the first of them are
 *   told by name with their programs.
 * - CUDA_STAND_IN_FLICKERS, if it is set, makes about every other copy to the host come with another last bit.
 *
 * Layouts and numbers are those of CUDA 13 and cuDNN 9.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, INVALID_DEVICE = 101 };
typedef int Status;
typedef void *Stream;
typedef struct {
    unsigned x, y, z;
} Dim3;

/* The default stream: by no name, and by the one that a program can hand on (cudaStreamLegacy). */
#define DEFAULT ((Stream)0)
#define LEGACY ((Stream)1)

/* ---- what is counted ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    size_t launches, on_other_streams, streams, allocations, bytes, peak_bytes;
    size_t to_device, to_device_bytes, to_host, to_host_bytes;
    size_t waits, products, half_products, executions, returned, modules, kernels;
    char launched[4096];
} count;

static void add(size_t *number, size_t more) {
    pthread_mutex_lock(&lock);
    *number += more;
    pthread_mutex_unlock(&lock);
}

__attribute__((destructor)) static void report(void) {
    const char *path = getenv("CUDA_STAND_IN_REPORT");
    FILE *file = path ? fopen(path, "a") : NULL;
    if (!file) return;
    fprintf(file,
            "{\"launches\": %zu, \"on_other_streams\": %zu, \"streams\": %zu, \"allocations\": %zu, \"peak_bytes\": %zu, "
            "\"to_device\": %zu, \"to_device_bytes\": %zu, \"to_host\": %zu, \"to_host_bytes\": %zu, \"waits\": %zu, "
            "\"products\": %zu, \"half_products\": %zu, \"executions\": %zu, \"returned\": %zu, \"modules\": %zu, "
            "\"kernels\": %zu, \"launched\": \"%s\"}\n",
            count.launches, count.on_other_streams, count.streams, count.allocations, count.peak_bytes, count.to_device,
            count.to_device_bytes, count.to_host, count.to_host_bytes, count.waits, count.products, count.half_products,
            count.executions, count.returned, count.modules, count.kernels, count.launched);
    fclose(file);
}

/* Returns how a call ends: with the status that it is told to fail with, or SUCCESS. */
static Status ends(const char *call) {
    static size_t calls;
    const char *told = getenv("CUDA_STAND_IN_FAILS");
    char name[64];
    size_t first, last;
    Status status;
    if (!told || sscanf(told, "%63[^:]:%zu:%zu:%d", name, &first, &last, &status) != 4 || strcmp(name, call))
        return SUCCESS;
    pthread_mutex_lock(&lock);
    size_t number = ++calls;
    pthread_mutex_unlock(&lock);
    return number >= first && number <= last ? status : SUCCESS;
}

/* ---- memory ---- */

/* A block of the device's memory: an address that nobody may touch, and one at which copies find its bytes. */
struct block {
    char *address, *bytes;
    size_t len;
    struct block *next;
};
static struct block *blocks;

static size_t bytes_told(const char *variable, size_t otherwise) {
    const char *bytes = getenv(variable);
    return bytes ? strtoull(bytes, NULL, 10) : otherwise;
}

static size_t total_bytes(void) { return bytes_told("CUDA_STAND_IN_BYTES", (size_t)16 << 30); }

/* Returns where the bytes of an address of the device are; NULL if it is none. */
static char *bytes_at(const void *address) {
    const char *wanted = address;
    char *found = NULL;
    pthread_mutex_lock(&lock);
    for (struct block *block = blocks; block; block = block->next)
        if (wanted >= block->address && wanted < block->address + block->len)
            found = block->bytes + (wanted - block->address);
    pthread_mutex_unlock(&lock);
    return found;
}

Status cudaMalloc(void **address, size_t len) {
    size_t page = sysconf(_SC_PAGESIZE);
    len = (len + page - 1) / page * page + (len == 0) * page;
    struct block *block = malloc(sizeof *block);
    int file = memfd_create("device memory", 0);
    if (!block || file < 0 || ftruncate(file, len)) return OUT_OF_MEMORY;
    block->len = len;
    block->address = mmap(NULL, len, PROT_NONE, MAP_SHARED, file, 0);
    block->bytes = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    pthread_mutex_lock(&lock);
    int fits = count.bytes + len <= total_bytes();
    if (fits) {
        block->next = blocks;
        blocks = block;
        count.allocations++;
        count.bytes += len;
        if (count.bytes > count.peak_bytes) count.peak_bytes = count.bytes;
    }
    pthread_mutex_unlock(&lock);
    *address = fits ? block->address : NULL;
    return fits ? SUCCESS : OUT_OF_MEMORY;
}

Status cudaFree(void *address) {
    if (!address) return SUCCESS;
    pthread_mutex_lock(&lock);
    struct block **link = &blocks;
    while (*link && (*link)->address != address) link = &(*link)->next;
    struct block *block = *link;
    if (block) {
        *link = block->next;
        count.bytes -= block->len;
        count.returned += block->len;
    }
    pthread_mutex_unlock(&lock);
    if (!block) return INVALID_VALUE;
    munmap(block->address, block->len);
    munmap(block->bytes, block->len);
    free(block);
    return SUCCESS;
}

/* Returns a last bit, in a sequence that does not repeat itself. */
static int flicker(void) {
    static unsigned state = 1;
    return (state = state * 1664525u + 1013904223u) >> 31;
}

static Status copy(void *to, const void *from, size_t len) {
    char *device_to = bytes_at(to);
    const char *device_from = bytes_at(from);
    if (device_to && !device_from) {
        add(&count.to_device, 1);
        add(&count.to_device_bytes, len);
    }
    if (device_from && !device_to) {
        add(&count.to_host, 1);
        add(&count.to_host_bytes, len);
    }
    memmove(device_to ? device_to : to, device_from ? device_from : from, len);
    if (device_from && !device_to && len && getenv("CUDA_STAND_IN_FLICKERS")) *(char *)to ^= flicker();
    return SUCCESS;
}

static void on(Stream stream) {
    if (stream != DEFAULT && stream != LEGACY) add(&count.on_other_streams, 1);
}

Status cudaMemcpy(void *to, const void *from, size_t len, int kind) { return copy(to, from, len); }
Status cudaMemcpyAsync(void *to, const void *from, size_t len, int kind, Stream stream) {
    on(stream);
    return copy(to, from, len);
}
Status cudaMemset(void *address, int value, size_t len) {
    char *bytes = bytes_at(address);
    memset(bytes ? bytes : address, value, len);
    return SUCCESS;
}
Status cudaMemsetAsync(void *address, int value, size_t len, Stream stream) {
    on(stream);
    return cudaMemset(address, value, len);
}
Status cudaMallocHost(void **address, size_t len) {
    return posix_memalign(address, 256, len) ? OUT_OF_MEMORY : SUCCESS;
}
Status cudaHostAlloc(void **address, size_t len, unsigned flags) { return cudaMallocHost(address, len); }
Status cudaFreeHost(void *address) {
    free(address);
    return SUCCESS;
}
Status cudaMemGetInfo(size_t *free_bytes, size_t *total) {
    *total = total_bytes();
    *free_bytes = *total - count.bytes;
    return SUCCESS;
}
struct attributes {
    int type, device;
    void *on_device, *on_host;
    long reserved[8];
};
Status cudaPointerGetAttributes(struct attributes *attributes, const void *address) {
    enum { ON_DEVICE = 2 };
    memset(attributes, 0, sizeof *attributes);
    if (bytes_at(address)) attributes->type = ON_DEVICE;
    return SUCCESS;
}

/* ---- the device ---- */

enum { COMPUTE_CAPABILITY = 9, PROCESSORS = 132, THREADS_OF_BLOCK = 1024, SHARED_BYTES = 232448 };

Status cudaGetDeviceCount(int *num) { return *num = 1, SUCCESS; }
Status cudaGetDevice(int *number) { return *number = 0, SUCCESS; }
Status cudaSetDevice(int number) { return number == 0 ? SUCCESS : INVALID_DEVICE; }
Status cudaRuntimeGetVersion(int *version) { return *version = 13000, SUCCESS; }
Status cudaDriverGetVersion(int *version) { return *version = 13000, SUCCESS; }
Status cudaGetDeviceProperties(void *properties, int number) {
    if (number != 0) return INVALID_DEVICE;
    memset(properties, 0, 1008);
    strcpy(properties, "stand-in");
    const struct {
        size_t place;
        size_t value;
    } sizes[] = {{288, total_bytes()}, {296, 49152}, {624, SHARED_BYTES}, {672, SHARED_BYTES}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        memcpy((char *)properties + sizes[i].place, &sizes[i].value, sizeof(size_t));
    const struct {
        size_t place;
        int value;
    } numbers[] = {
        {304, 65536}, /* registers of a block */
        {308, 32},    /* threads of a warp */
        {320, THREADS_OF_BLOCK},
        {324, THREADS_OF_BLOCK},
        {328, THREADS_OF_BLOCK},
        {332, 64},
        {336, INT32_MAX}, /* blocks of a grid */
        {340, 65535},
        {344, 65535},
        {360, COMPUTE_CAPABILITY},
        {384, PROCESSORS},
        {588, 1},    /* one space of addresses */
        {604, 2048}, /* threads of a processor */
        {632, 65536},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        memcpy((char *)properties + numbers[i].place, &numbers[i].value, sizeof(int));
    return SUCCESS;
}
Status cudaDeviceGetAttribute(int *value, int attribute, int number) {
    switch (attribute) {
    case 1: *value = THREADS_OF_BLOCK; break;
    case 16: *value = PROCESSORS; break;
    case 75: *value = COMPUTE_CAPABILITY; break;
    case 97: *value = SHARED_BYTES; break;
    default: *value = 0;
    }
    return SUCCESS;
}

/* The same of the driver, by its own functions. */
Status cuInit(unsigned flags) { return SUCCESS; }
Status cuDriverGetVersion(int *version) { return *version = 13000, SUCCESS; }
Status cuDeviceGet(int *device, int number) { return *device = number, number == 0 ? SUCCESS : INVALID_DEVICE; }
Status cuDeviceGetName(char *name, int room, int device) {
    strncpy(name, "stand-in", room);
    return SUCCESS;
}
Status cuDeviceGetAttribute(int *value, int attribute, int device) {
    return cudaDeviceGetAttribute(value, attribute, device);
}
const char *cudaGetErrorString(Status status) {
    switch (status) {
    case SUCCESS: return "no error";
    case OUT_OF_MEMORY: return "out of memory";
    case INVALID_DEVICE: return "invalid device ordinal";
    default: return "an error of the stand-in";
    }
}
const char *cudaGetErrorName(Status status) { return cudaGetErrorString(status); }

/* ---- streams, events, launches ---- */

static Status handle(void **made) { return (*made = calloc(1, 256)) ? SUCCESS : OUT_OF_MEMORY; }

Status cudaStreamCreate(Stream *stream) {
    add(&count.streams, 1);
    return handle(stream);
}
Status cudaStreamCreateWithFlags(Stream *stream, unsigned flags) { return cudaStreamCreate(stream); }
Status cudaStreamIsCapturing(Stream stream, int *capturing) { return *capturing = 0, SUCCESS; }
Status cudaEventCreate(void **event) { return handle(event); }
Status cudaEventCreateWithFlags(void **event, unsigned flags) { return handle(event); }
Status cudaEventElapsedTime(float *milliseconds, void *from, void *to) { return *milliseconds = 1, SUCCESS; }
Status cudaLaunchHostFunc(Stream stream, void (*function)(void *), void *data) {
    function(data);
    return SUCCESS;
}
static Status launch(Stream stream) {
    add(&count.launches, 1);
    on(stream);
    return ends("cudaLaunchKernel");
}
/* The host waits for the device. */
static Status wait_for(const char *call) { return add(&count.waits, 1), ends(call); }
Status cudaDeviceSynchronize(void) { return wait_for("cudaDeviceSynchronize"); }
Status cudaEventSynchronize(void *event) { return wait_for("cudaEventSynchronize"); }
Status cudaStreamSynchronize(Stream stream) { return on(stream), wait_for("cudaStreamSynchronize"); }
Status cudaLaunchKernel(const void *kernel, Dim3 grid, Dim3 block, void **arguments, size_t shared, Stream stream) {
    return launch(stream);
}
Status __cudaLaunchKernel(const void *kernel, Dim3 grid, Dim3 block, void **arguments, size_t shared, Stream stream) {
    return launch(stream);
}
struct configuration {
    Dim3 grid, block;
    size_t shared;
    Stream stream;
};
Status cudaLaunchKernelExC(const struct configuration *how, const void *kernel, void **arguments) {
    return launch(how->stream);
}
static __thread struct configuration pushed;
unsigned __cudaPushCallConfiguration(Dim3 grid, Dim3 block, size_t shared, Stream stream) {
    pushed = (struct configuration){grid, block, shared, stream};
    return 0;
}
Status __cudaPopCallConfiguration(Dim3 *grid, Dim3 *block, size_t *shared, Stream *stream) {
    *grid = pushed.grid, *block = pushed.block, *shared = pushed.shared, *stream = pushed.stream;
    return SUCCESS;
}
Status __cudaGetKernel(const void **kernel, const void *function) { return *kernel = function, SUCCESS; }
void **__cudaRegisterFatBinary(void *binary) {
    static void *registered;
    return &registered;
}
Status cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *num, const void *kernel, int block, size_t shared,
                                                              unsigned flags) {
    return *num = 1, SUCCESS;
}
Status cudaFuncGetAttributes(void *attributes, const void *kernel) { return memset(attributes, 0, 144), SUCCESS; }

/* ---- kernels of ours, by the driver's functions ---- */

enum { INVALID_IMAGE = 200, NOT_FOUND = 500 };
/* The code of a kernel, and its function. */
struct module {
    const char *image;
    size_t len;
};
struct function {
    char name[64];
};

Status cuGetErrorString(Status status, const char **words) { return *words = cudaGetErrorString(status), SUCCESS; }
Status cuDevicePrimaryCtxRetain(void **context, int device) {
    static int only;
    return *context = &only, SUCCESS;
}
Status cuDevicePrimaryCtxRelease_v2(int device) { return SUCCESS; }
static __thread void *current;
Status cuCtxGetCurrent(void **context) { return *context = current, SUCCESS; }
Status cuCtxSetCurrent(void *context) { return current = context, SUCCESS; }

/* Takes ELF for NVIDIA's GPUs, and reads how long it is: its headers are at the end. */
Status cuModuleLoadData(void **made, const void *image) {
    enum { MACHINE = 18, EM_CUDA = 190, PROGRAMS = 32, SECTIONS = 40, SIZES = 54 };
    const char *bytes = image;
    uint16_t machine, sizes[4];
    uint64_t programs, sections;
    memcpy(&machine, bytes + MACHINE, sizeof machine);
    if (memcmp(bytes, "\177ELF", 4) || machine != EM_CUDA) return INVALID_IMAGE;
    memcpy(&programs, bytes + PROGRAMS, sizeof programs);
    memcpy(&sections, bytes + SECTIONS, sizeof sections);
    memcpy(sizes, bytes + SIZES, sizeof sizes);
    programs += (uint64_t)sizes[0] * sizes[1];
    sections += (uint64_t)sizes[2] * sizes[3];
    struct module *module = malloc(sizeof *module);
    if (!module) return OUT_OF_MEMORY;
    module->len = programs > sections ? programs : sections;
    char *copy = malloc(module->len);
    if (!copy) return OUT_OF_MEMORY;
    module->image = memcpy(copy, image, module->len);
    *made = module;
    add(&count.modules, 1);
    return ends("cuModuleLoadData");
}
Status cuModuleUnload(void *module) { return SUCCESS; }
Status cuModuleGetFunction(void **made, struct module *module, const char *name) {
    struct function *function = calloc(1, sizeof *function);
    if (!function) return OUT_OF_MEMORY;
    /* Names end by a zero. */
    if (!memmem(module->image, module->len, name, strlen(name) + 1)) return NOT_FOUND;
    strncpy(function->name, name, sizeof function->name - 1);
    return *made = function, SUCCESS;
}
Status cuFuncSetAttribute(void *function, int attribute, int value) {
    return value <= SHARED_BYTES ? SUCCESS : INVALID_VALUE;
}
Status cuLaunchKernel(struct function *function, unsigned x, unsigned y, unsigned z, unsigned threads, unsigned threads_y,
                      unsigned threads_z, unsigned shared, Stream stream, void **arguments, void **extra) {
    /* The first two arguments of each are addresses. */
    if (!bytes_at(*(void **)arguments[0]) || !bytes_at(*(void **)arguments[1])) return INVALID_VALUE;
    if (!x || !y || z != 1 || threads > THREADS_OF_BLOCK || shared > SHARED_BYTES) return INVALID_VALUE;
    /* They follow what the sessions ask for, and nothing waits. */
    if (stream != DEFAULT && stream != LEGACY) return INVALID_VALUE;
    pthread_mutex_lock(&lock);
    size_t used = strlen(count.launched);
    snprintf(count.launched + used, sizeof count.launched - used, "%s%s %ux%u", used ? ", " : "", function->name, x, y);
    count.kernels++;
    pthread_mutex_unlock(&lock);
    return ends("cuLaunchKernel");
}

/* ---- cuBLAS and cuDNN ---- */

Status cublasCreate_v2(void **made) { return handle(made); }
Status cublasLtCreate(void **made) { return handle(made); }
Status cublasLtMatmulDescCreate(void **made) { return handle(made); }
Status cublasLtMatmulPreferenceCreate(void **made) { return handle(made); }
Status cublasLtMatrixLayoutCreate(void **made) { return handle(made); }
Status cublasLtMatrixTransformDescCreate(void **made) { return handle(made); }
Status cublasGetMathMode(void *cublas, int *mode) { return *mode = 0, SUCCESS; }
const char *cublasGetStatusName(Status status) {
    return status == 3 ? "CUBLAS_STATUS_ALLOC_FAILED" : status ? "CUBLAS_STATUS_EXECUTION_FAILED" : "CUBLAS_STATUS_SUCCESS";
}
const char *cublasGetStatusString(Status status) { return cublasGetStatusName(status); }
Status cublasLtMatmulAlgoGetHeuristic(void *lt, void *what, void *a, void *b, void *c, void *d, void *preference,
                                      int wanted, void *results, int *found) {
    return *found = 1, SUCCESS;
}
Status cublasSetStream_v2(void *cublas, Stream stream) { return on(stream), SUCCESS; }

enum { HALF = 2 }; /* CUDA_R_16F */
static Status product(int type) {
    add(&count.products, 1);
    add(&count.half_products, type == HALF);
    return ends("cublas");
}
Status cublasSgemm_v2() { return product(0); }
Status cublasSgemmBatched() { return product(0); }
Status cublasSgemmStridedBatched() { return product(0); }
Status cublasLtMatmul() { return product(0); }
Status cublasGemmEx(void *cublas, int turn_a, int turn_b, int m, int n, int k, const void *alpha, const void *a, int type) {
    return product(type);
}
Status cublasGemmBatchedEx(void *cublas, int turn_a, int turn_b, int m, int n, int k, const void *alpha, const void *a,
                           int type) {
    return product(type);
}
Status cublasGemmStridedBatchedEx(void *cublas, int turn_a, int turn_b, int m, int n, int k, const void *alpha,
                                  const void *a, int type) {
    return product(type);
}

size_t cudnnGetVersion(void) { return 91400; }
const char *cudnnGetErrorString(Status status) {
    switch (status) {
    case SUCCESS: return "CUDNN_STATUS_SUCCESS";
    case 4003: return "CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED";
    case 4004: return "CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED";
    case 5001: return "CUDNN_STATUS_EXECUTION_FAILED_CUDA_DRIVER";
    default: return "CUDNN_STATUS_INTERNAL_ERROR";
    }
}
Status cudnnSetStream(void *cudnn, Stream stream) { return on(stream), SUCCESS; }
Status cudnnGetStream(void *cudnn, Stream *stream) { return *stream = LEGACY, SUCCESS; }
Status cudnnBackendCreateDescriptor(int kind, void **made) { return handle(made); }
Status cudnnBackendExecute() { return add(&count.executions, 1), ends("cudnnBackendExecute"); }
Status cudnnBatchNormalizationForwardTraining() { return ends("cudnnBatchNormalizationForwardTraining"); }
/* There is one engine for everything; it needs the memory it is told to need, and there is nothing to note of it unless the
 * environment says so. */
Status cudnnBackendGetAttribute(void *descriptor, int name, int type, int64_t room, int64_t *num, void *values) {
    enum { NUMERICAL_NOTES = 11, DESCRIPTORS = 15, BEHAVIOUR_NOTES = 19, WORKSPACE_OF_A_PLAN = 402 };
    const char *note = getenv("CUDA_STAND_IN_NOTE");
    if (type == NUMERICAL_NOTES && note) {
        if (num) *num = 1;
        if (values && room > 0) *(int *)values = atoi(note);
        return SUCCESS;
    }
    if (num) *num = type != NUMERICAL_NOTES && type != BEHAVIOUR_NOTES;
    if (values && room > 0 && type != DESCRIPTORS) memset(values, 0, sizeof(int64_t));
    if (values && name == WORKSPACE_OF_A_PLAN) *(int64_t *)values = bytes_told("CUDA_STAND_IN_WORKSPACE", 0);
    return SUCCESS;
}

#define DOES_NOTHING(name) \
    Status name() { return SUCCESS; }
#define MAKES_A_HANDLE(name) \
    Status name(void **made) { return handle(made); }

MAKES_A_HANDLE(cudnnCreate)
MAKES_A_HANDLE(cudnnCreateActivationDescriptor)
MAKES_A_HANDLE(cudnnCreateConvolutionDescriptor)
MAKES_A_HANDLE(cudnnCreateDropoutDescriptor)
MAKES_A_HANDLE(cudnnCreateFilterDescriptor)
MAKES_A_HANDLE(cudnnCreateLRNDescriptor)
MAKES_A_HANDLE(cudnnCreatePoolingDescriptor)
MAKES_A_HANDLE(cudnnCreateRNNDataDescriptor)
MAKES_A_HANDLE(cudnnCreateRNNDescriptor)
MAKES_A_HANDLE(cudnnCreateReduceTensorDescriptor)
MAKES_A_HANDLE(cudnnCreateTensorDescriptor)
DOES_NOTHING(__cudaRegisterFatBinaryEnd)
DOES_NOTHING(__cudaRegisterFunction)
DOES_NOTHING(__cudaRegisterVar)
DOES_NOTHING(__cudaUnregisterFatBinary)
DOES_NOTHING(cuTensorMapEncodeTiled)
DOES_NOTHING(cublasDestroy_v2)
DOES_NOTHING(cublasDgeam)
DOES_NOTHING(cublasDgemmBatched)
DOES_NOTHING(cublasDgemmStridedBatched)
DOES_NOTHING(cublasDgemm_v2)
DOES_NOTHING(cublasDgetrfBatched)
DOES_NOTHING(cublasDgetriBatched)
DOES_NOTHING(cublasLtDestroy)
DOES_NOTHING(cublasLtMatmulAlgoConfigSetAttribute)
DOES_NOTHING(cublasLtMatmulAlgoInit)
DOES_NOTHING(cublasLtMatmulDescDestroy)
DOES_NOTHING(cublasLtMatmulDescSetAttribute)
DOES_NOTHING(cublasLtMatmulPreferenceDestroy)
DOES_NOTHING(cublasLtMatmulPreferenceSetAttribute)
DOES_NOTHING(cublasLtMatrixLayoutDestroy)
DOES_NOTHING(cublasLtMatrixLayoutSetAttribute)
DOES_NOTHING(cublasLtMatrixTransform)
DOES_NOTHING(cublasLtMatrixTransformDescDestroy)
DOES_NOTHING(cublasScopy_v2)
DOES_NOTHING(cublasSetMathMode)
DOES_NOTHING(cublasSgeam)
DOES_NOTHING(cublasSgetrfBatched)
DOES_NOTHING(cublasSgetriBatched)
DOES_NOTHING(cublasSscal_v2)
DOES_NOTHING(cudaEventDestroy)
DOES_NOTHING(cudaEventRecord)
DOES_NOTHING(cudaEventRecordWithFlags)
DOES_NOTHING(cudaFreeAsync)
DOES_NOTHING(cudaFuncSetAttribute)
DOES_NOTHING(cudaGetDriverEntryPointByVersion)
DOES_NOTHING(cudaGetLastError)
DOES_NOTHING(cudaGraphDestroy)
DOES_NOTHING(cudaGraphExecDestroy)
DOES_NOTHING(cudaGraphInstantiate)
DOES_NOTHING(cudaGraphLaunch)
DOES_NOTHING(cudaKernelSetAttributeForDevice)
DOES_NOTHING(cudaLaunchCooperativeKernel)
DOES_NOTHING(cudaLibraryGetKernel)
DOES_NOTHING(cudaLibraryLoadData)
DOES_NOTHING(cudaLibraryUnload)
DOES_NOTHING(cudaMallocFromPoolAsync)
DOES_NOTHING(cudaMemPoolCreate)
DOES_NOTHING(cudaMemPoolDestroy)
DOES_NOTHING(cudaMemPoolGetAttribute)
DOES_NOTHING(cudaMemPoolSetAttribute)
DOES_NOTHING(cudaMemPoolTrimTo)
DOES_NOTHING(cudaMemcpy2DAsync)
DOES_NOTHING(cudaMemcpyFromSymbol)
DOES_NOTHING(cudaPeekAtLastError)
DOES_NOTHING(cudaStreamBeginCapture)
DOES_NOTHING(cudaStreamDestroy)
DOES_NOTHING(cudaStreamEndCapture)
DOES_NOTHING(cudaStreamWaitEvent)
DOES_NOTHING(cudnnActivationForward)
DOES_NOTHING(cudnnAddTensor)
DOES_NOTHING(cudnnBackendDestroyDescriptor)
DOES_NOTHING(cudnnBackendFinalize)
DOES_NOTHING(cudnnBackendSetAttribute)
DOES_NOTHING(cudnnBatchNormalizationForwardInference)
DOES_NOTHING(cudnnConvolutionBiasActivationForward)
DOES_NOTHING(cudnnConvolutionForward)
DOES_NOTHING(cudnnDeriveBNTensorDescriptor)
DOES_NOTHING(cudnnDestroy)
DOES_NOTHING(cudnnDestroyActivationDescriptor)
DOES_NOTHING(cudnnDestroyConvolutionDescriptor)
DOES_NOTHING(cudnnDestroyDropoutDescriptor)
DOES_NOTHING(cudnnDestroyFilterDescriptor)
DOES_NOTHING(cudnnDestroyLRNDescriptor)
DOES_NOTHING(cudnnDestroyPoolingDescriptor)
DOES_NOTHING(cudnnDestroyRNNDataDescriptor)
DOES_NOTHING(cudnnDestroyRNNDescriptor)
DOES_NOTHING(cudnnDestroyReduceTensorDescriptor)
DOES_NOTHING(cudnnDestroyTensorDescriptor)
DOES_NOTHING(cudnnDropoutGetStatesSize)
DOES_NOTHING(cudnnFindConvolutionForwardAlgorithmEx)
DOES_NOTHING(cudnnGetConvolutionForwardAlgorithm_v7)
DOES_NOTHING(cudnnGetConvolutionForwardWorkspaceSize)
DOES_NOTHING(cudnnGetLastErrorString)
DOES_NOTHING(cudnnGetRNNTempSpaceSizes)
DOES_NOTHING(cudnnGetRNNWeightParams)
DOES_NOTHING(cudnnGetReductionIndicesSize)
DOES_NOTHING(cudnnGetReductionWorkspaceSize)
DOES_NOTHING(cudnnGetTensorNdDescriptor)
DOES_NOTHING(cudnnLRNCrossChannelForward)
DOES_NOTHING(cudnnPoolingForward)
DOES_NOTHING(cudnnRNNForward)
DOES_NOTHING(cudnnReduceTensor)
DOES_NOTHING(cudnnSetActivationDescriptor)
DOES_NOTHING(cudnnSetConvolutionGroupCount)
DOES_NOTHING(cudnnSetConvolutionMathType)
DOES_NOTHING(cudnnSetConvolutionNdDescriptor)
DOES_NOTHING(cudnnSetDropoutDescriptor)
DOES_NOTHING(cudnnSetFilterNdDescriptor)
DOES_NOTHING(cudnnSetLRNDescriptor)
DOES_NOTHING(cudnnSetPoolingNdDescriptor)
DOES_NOTHING(cudnnSetRNNDataDescriptor)
DOES_NOTHING(cudnnSetRNNDescriptor_v8)
DOES_NOTHING(cudnnSetReduceTensorDescriptor)
DOES_NOTHING(cudnnSetTensorNdDescriptor)
DOES_NOTHING(cudnnSoftmaxForward)
