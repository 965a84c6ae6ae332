//! What nearpath answers otherwise than CoreDNS 1.14.7 on purpose: the one list, for `nearpath check --explain`, for the README's
//! table, and for the differential tests, in which each must occur and nothing else may.

/// One wanted difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// A short name for it.
    pub id: &'static str,
    /// The directives whose users meet it; none: everybody.
    pub directives: &'static [&'static str],
    /// What CoreDNS does.
    pub coredns: &'static str,
    /// What nearpath does.
    pub nearpath: &'static str,
    /// Why.
    pub reason: &'static str,
}

/// Every wanted difference.
pub static DIFFERENCES: &[Difference] = &[
    Difference { id: "recursion-available", directives: &[], coredns: "", nearpath: "", reason: ""},
    Difference { id: "size", directives: &[], coredns: "", nearpath: "", reason: ""},
];
