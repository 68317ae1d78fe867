// What activations and their gradients are kept in: float, or half where STORAGE_BITS is 16. Only memory is half: what
// is loaded is float at once. vload_half and vstore_half belong to OpenCL C itself. No kernels here.
#ifndef VITCL_COMMON_STORAGE_H
#define VITCL_COMMON_STORAGE_H

#ifndef STORAGE_BITS
#define STORAGE_BITS 32
#endif

#define VITCL_TYPE_16 half
#define VITCL_TYPE_32 float
#define VITCL_LOAD_16(source, i) vload_half((i), (source))
#define VITCL_LOAD_32(source, i) ((source)[i])
#define VITCL_STORE_16(value, target, i) vstore_half_rte((value), (i), (target))
#define VITCL_STORE_32(value, target, i) ((target)[i] = (value))
#define VITCL_PASTE(a, b) VITCL_PASTE_(a, b)
#define VITCL_PASTE_(a, b) a##b

// An element of `bits` bits; element i of `source` as float; value, rounded to nearest, into element i of `target`.
#define VITCL_TYPE(bits) VITCL_PASTE(VITCL_TYPE_, bits)
#define VITCL_LOAD(bits, source, i) VITCL_PASTE(VITCL_LOAD_, bits)(source, i)
#define VITCL_STORE(bits, value, target, i) VITCL_PASTE(VITCL_STORE_, bits)(value, target, i)

// The same for activations.
typedef VITCL_TYPE(STORAGE_BITS) stored;
#define vitcl_load(source, i) VITCL_LOAD(STORAGE_BITS, source, i)
#define vitcl_store(value, target, i) VITCL_STORE(STORAGE_BITS, value, target, i)

#endif
