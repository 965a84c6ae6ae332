//! The files that an example names: those that its README shows, and certificates, which nobody wants to read.

use std::net::IpAddr;
use std::path::PathBuf;

use nearpath_tests::place::Folder;

use super::standin::{authority, certificate};

/// The name in the certificate of an example's server.
pub(super) const HOST: &str = "node.example";

/// Files at hand in each example: a certificate, its key, and the authority that signed it.
const CERTIFICATES: [&str; 3] = ["cert.pem", "key.pem", "ca.pem"];

/// A folder with an example's files.
#[derive(Debug)]
pub(super) struct Files {
    pub folder: Folder,
    /// What the example calls them.
    names: Vec<String>,
}

impl Files {
    /// Writes the files that a README shows, and the certificates for a server at an address.
    pub(super) fn new(shown: &[(String, String)], server: IpAddr) -> Self {
        let folder = Folder::new();
        let signed = certificate(HOST, server);
        let mut files = Self { folder, names: Vec::new() };
        let texts = [signed.certificate.as_str(), signed.key.as_str(), authority().pem()];
        CERTIFICATES.iter().zip(texts).for_each(|(name, text)| files.write(name, text));
        shown.iter().for_each(|(name, text)| files.write(name, text));
        files
    }

    fn write(&mut self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a file lies in a folder")).expect("the folder can be written");
        std::fs::write(path, text).expect("the folder can be written");
        self.names.push(name.to_owned());
    }

    /// Where one of the example's files is here.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.file(name.trim_start_matches('/'))
    }

    /// The authority's certificate.
    pub(super) fn authority(&self) -> String {
        self.path("ca.pem").display().to_string()
    }

    /// The line with the files as they are here, and other words as `other` has them.
    ///
    /// # Errors
    /// A file that nobody shows.
    pub(super) fn named_in(&self, line: &str, other: impl Fn(&str) -> Option<String>) -> Result<String, String> {
        let (mut text, mut quoted) = (String::new(), false);
        for piece in line.split_inclusive(char::is_whitespace) {
            let word = piece.trim_end();
            let space = &piece[word.len()..];
            if word.starts_with('#') && !quoted {
                return Ok(text); // a comment
            }
            let path = word.strip_prefix("unix://").unwrap_or(word);
            let scheme = &word[..word.len() - path.len()];
            let starts_quoted = quoted;
            quoted ^= !word.matches('"').count().saturating_sub(word.matches("\\\"").count()).is_multiple_of(2);
            match other(word) {
                Some(with) => text.push_str(&with),
                None if !starts_quoted && self.is_here(path)? => {
                    text.push_str(&format!("{scheme}{}", self.path(path).display()));
                }
                None => text.push_str(word),
            }
            text.push_str(space);
        }
        Ok(text)
    }

    /// True for a file of the example; sockets are made by whoever listens.
    fn is_here(&self, word: &str) -> Result<bool, String> {
        let folder = format!("{word}/");
        if self.names.iter().any(|name| name == word || word.starts_with('/') && name.starts_with(&folder)) {
            return Ok(true);
        }
        match word.starts_with('/') && word.len() > 1 && word != "/dev/null" {
            true if word.ends_with(".sock") => Ok(true),
            true => Err(format!("it names {word}: show the file before it, in a fence `~~~ txt {word}`")),
            false => Ok(false),
        }
    }
}

#[test]
fn files_are_those_of_the_folder() {
    let files = Files::new(&[("/etc/hosts".into(), "192.0.2.1 a\n".into())], [127, 0, 0, 1].into());
    let named = |line: &str| files.named_in(line, |_| None);
    let at = |name: &str| files.path(name).display().to_string();
    assert_eq!(
        named(" hosts /etc/hosts \"/etc/none\" # /etc/x"),
        Ok(format!(" hosts {} \"/etc/none\" ", at("etc/hosts")))
    );
    assert_eq!(named("tls cert.pem other.pem"), Ok(format!("tls {} other.pem", at("cert.pem"))));
    assert_eq!(named("dnstap unix:///tmp/a.sock"), Ok(format!("dnstap unix://{}", at("tmp/a.sock"))));
    assert_eq!(named("hosts /dev/null"), Ok("hosts /dev/null".into()));
    assert!(named("hosts /etc/other").is_err_and(|error| error.contains("~~~ txt /etc/other")));
    assert_eq!(std::fs::read_to_string(files.path("/etc/hosts")).ok().as_deref(), Some("192.0.2.1 a\n"));
}
