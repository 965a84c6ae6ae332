//! The directive `loop`.
