// A libnvidia-ml.so.1 of a machine with three GPUs, for NVIDIA's own Python bindings to talk to where there is no driver.
// STUB_NVML_USER is the process that computes on GPU 1. GPU 2 knows no utilization, like one in MIG mode.
#include <stdio.h>
#include <stdlib.h>
#include <stdint.h>

enum { SUCCESS = 0, NOT_SUPPORTED = 3, INSUFFICIENT_SIZE = 7 };

struct memory { unsigned long long total, free, used; };
struct utilization { unsigned gpu, memory; };
struct process { unsigned pid; unsigned long long used; unsigned gpu_instance, compute_instance; };

static int index_of(void *device) { return (int)(uintptr_t)device - 1; }

int nvmlInitWithFlags(unsigned flags) { return SUCCESS; }

int nvmlDeviceGetCount_v2(unsigned *count) { *count = 3; return SUCCESS; }

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) {
  *device = (void *)(uintptr_t)(index + 1);
  return SUCCESS;
}

int nvmlDeviceGetUUID(void *device, char *text, unsigned size) {
  snprintf(text, size, "GPU-%04d", index_of(device));
  return SUCCESS;
}

int nvmlDeviceGetName(void *device, char *text, unsigned size) {
  snprintf(text, size, "Stub %d", index_of(device));
  return SUCCESS;
}

int nvmlDeviceGetMemoryInfo(void *device, struct memory *memory) {
  *memory = (struct memory){.total = 80, .free = 60, .used = 20};
  return SUCCESS;
}

int nvmlDeviceGetUtilizationRates(void *device, struct utilization *utilization) {
  if (index_of(device) == 2) return NOT_SUPPORTED;
  *utilization = (struct utilization){.gpu = 97, .memory = 12};
  return SUCCESS;
}

int nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned *count, struct process *processes) {
  const char *user = getenv("STUB_NVML_USER");
  unsigned room = *count;
  *count = user != NULL && index_of(device) == 1 ? 1 : 0;
  if (room < *count) return INSUFFICIENT_SIZE;
  if (*count) processes[0] = (struct process){.pid = (unsigned)atoi(user)};
  return SUCCESS;
}
