//! The directive `acl`.
