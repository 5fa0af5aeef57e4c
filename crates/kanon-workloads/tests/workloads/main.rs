//! The simulation over a real store and the API server's own rules, without HTTP and with a clock that is pushed.

mod budgets;
mod converge;
mod deployments;
mod hostile;
mod jobs;
mod load;
mod pods;
mod sets;
mod sim;
