//! Views of DNS messages as they stand on the wire, so that nothing is copied that need not be.
//!
//! ```text
//!   packet --Question::parse--> Question (borrowed)          the hit path
//!   upstream's bytes --Message::parse--> Message, Record     the miss path
//!   Composer --finish--> Composed (bytes, offsets of TTLs)   whatever we say ourselves
//! ```

mod compose;
mod edns;
mod message;
mod name;
mod question;
mod types;

pub use compose::{Composed, Composer, Full};
pub use edns::{Ede, EdnsView, ede};
pub(crate) use edns::{OPTION_EDE, OPTION_NSID};
pub use message::{Malformed, Message, Record, Section, read_name, skip_name};
pub use name::{NAME_MAX, Name, NameError};
pub use question::{HEADER, Question, Reject, reject_reply};
pub use types::{Class, Flags, Rcode, RecordType};
