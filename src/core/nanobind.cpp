// nanobind's own code, compiled into this module from the installed package.
#include "nb_combined.cpp"
