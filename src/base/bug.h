/*
 * The third kind of wrong: an invariant of ours does not hold. A bug stops the process at once, with
 * the place, because going on could run a program on facts that are false.
 */
#ifndef BASE_BUG_H
#define BASE_BUG_H

/* Says where and what on standard error and aborts. Never used for input, only for our own errors. */
#define skep_bug(...)	    bug_report(__FILE__, __LINE__, __VA_ARGS__)
#define skep_bug_if(c, ...) ((c) ? skep_bug(__VA_ARGS__) : (void)0)

__attribute__((noreturn, format(printf, 3, 4))) void bug_report(
	const char *file, int line, const char *fmt, ...);

#endif
