/* What cppcheck has to know of system headers, which it does not read: macros that stand for syntax. */
#define bpf_object__for_each_program(pos, obj) while ((pos = bpf_object__next_program(obj, pos)))
#define bpf_object__for_each_map(pos, obj)     while ((pos = bpf_object__next_map(obj, pos)))
#define LIBBPF_OPTS(type, name, ...)	       struct type name = {.sz = sizeof(name), __VA_ARGS__}
