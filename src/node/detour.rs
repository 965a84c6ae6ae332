//! The way of questions from the host's own processes while no daemon is there: out of the stack and in again, past its tables.
