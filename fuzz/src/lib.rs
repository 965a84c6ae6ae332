//! What must hold for any octets: one function per parser. The fuzzer's targets (`libfuzzer/`) and the stand-alone driver
//! of the tests call the same functions; a panic is the finding.

mod corefile;
mod directive;
mod message;
mod mutate;
mod packet;
mod record;
mod stage;
mod warm;

pub use corefile::corefile;
pub use directive::{rewrite, template, view};
pub use message::message;
pub use mutate::Mutator;
pub use packet::packet;
pub use record::{record, zone};
pub use warm::warm;
