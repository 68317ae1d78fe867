// Mistakes on purpose, one a kernel, for the tests that prove that such mistakes are found.

// y: the tensor; index: where to write, inside or outside of it.
kernel void write_at(global float* y, int index) { y[index] = 1.0f; }

// Every work-item writes its number to the same place.
kernel void race(global float* y) { y[0] = (float)get_global_id(0); }

// A result that depends on what nobody wrote.
kernel void branch_on(global const float* x, global float* y) {
  if (x[0] > 0.0f) y[0] = 1.0f;
}
