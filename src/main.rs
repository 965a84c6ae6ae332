//! The binary `nearpath`.

fn main() {}
