//! What the command line does with gates away from the controller, by the same decision: unit tests, simulation, lint
//! (spec/promotion-gates 4.4, 4.5). Texts come in parsed; files and clusters are the command's affair.

pub mod cases;
pub mod lint;
pub mod moment;
pub mod scenario;
pub mod simulate;
