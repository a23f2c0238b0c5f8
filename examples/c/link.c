// A link of the tower, in C.

#include <stdlib.h>
#include <string.h>

#include "tower.h"

void exports_example_greet_greeting_greet(tower_string_t *name, tower_string_t *answer) {
  tower_string_t below;
  example_greet_greeting_greet(name, &below);

  answer->len = below.len + strlen("C[]");
  answer->ptr = malloc(answer->len);
  if (answer->ptr == NULL) abort();
  memcpy(answer->ptr, "C[", 2);
  memcpy(answer->ptr + 2, below.ptr, below.len);
  answer->ptr[answer->len - 1] = ']';

  tower_string_free(&below);
  tower_string_free(name);
}
