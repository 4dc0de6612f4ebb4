//! Which route a hypothetical request would take, and why the nearest others lose.
