mod bench;
mod filters;
mod flags;
mod fuzz;
mod heads;
mod life;
mod scopes;
mod switching;
