//! The certificate that every server of the DoT row shows: made anew in each run, the same for all.

use std::path::{Path, PathBuf};

use anyhow::Result;
use rcgen::{CertifiedKey, generate_simple_self_signed};

/// Files in PEM form.
#[derive(Clone, Debug)]
pub(crate) struct Certificate {
    pub(crate) chain: PathBuf,
    pub(crate) key: PathBuf,
}

impl Certificate {
    /// Makes one for localhost (ECDSA on P-256, as clusters use).
    pub(crate) fn make(directory: &Path) -> Result<Self> {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()])?;
        let made = Self { chain: directory.join("chain.pem"), key: directory.join("key.pem") };
        std::fs::write(&made.chain, cert.pem())?;
        std::fs::write(&made.key, signing_key.serialize_pem())?;
        Ok(made)
    }
}
