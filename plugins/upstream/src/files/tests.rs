//! Whom the system trusts, as far as files and variables say it.

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;

use super::authorities;

/// A folder of this test alone, removed when the test ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("upstream-authorities-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The certificate of somebody who signs for himself, and his name as a store has it.
fn somebody(name: &str) -> (String, Vec<u8>) {
    let mut parameters = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    parameters.distinguished_name.push(rcgen::DnType::CommonName, name);
    let certificate = parameters.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
    (certificate.pem(), name.as_bytes().to_vec())
}

/// How often each of these is in the store, and how many are in it at all.
fn found(bundle: Option<&OsStr>, folders: Option<&OsStr>, names: &[&[u8]]) -> (Vec<usize>, usize) {
    let roots = authorities::or_public(authorities::of(&authorities::places(bundle, folders))).roots;
    let has = |name: &[u8], subject: &[u8]| subject.windows(name.len()).any(|part| part == name);
    let count = |name: &&[u8]| roots.iter().filter(|root| has(name, &root.subject)).count();
    (names.iter().map(count).collect(), roots.len())
}

#[test]
fn the_systems_authorities_are_trusted_each_once_and_what_is_no_certificate_is_passed_over() {
    let scratch = Scratch::new("all");
    let [(one, one_name), (two, two_name), (three, three_name)] = ["one.test", "two.test", "three.test"].map(somebody);
    let bad = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
    let bundle = scratch.write("bundle.pem", &format!("# comment\n{bad}{one}"));
    scratch.write("a/two.pem", &format!("{two}{one}"));
    scratch.write("a/README", "no certificate at all\n");
    scratch.write("b/three.crt", &format!("{three}{bad}"));
    let names: [&[u8]; 3] = [&one_name, &two_name, &three_name];
    let folders = std::env::join_paths([scratch.0.join("a"), scratch.0.join("missing"), scratch.0.join("b")]).unwrap();
    assert_eq!(found(Some(bundle.as_os_str()), Some(&folders), &names), (vec![1, 1, 1], 3));
    let empty = scratch.write("empty/nothing", "");
    let empty = empty.parent().unwrap().as_os_str();
    assert_eq!(found(Some(bundle.as_os_str()), Some(empty), &names), (vec![1, 0, 0], 1));
    // a file that cannot be read leaves the folders
    for unreadable in [scratch.0.join("missing.pem"), scratch.0.clone()] {
        assert_eq!(found(Some(unreadable.as_os_str()), Some(&folders), &names), (vec![1, 1, 1], 3), "{unreadable:?}");
    }
}

#[test]
fn a_file_of_the_environment_does_not_take_the_usual_folders_away_nor_folders_the_files() {
    let (usual_files, usual_folders) = authorities::places(None, None);
    assert!(usual_files.contains(&"/etc/ssl/certs/ca-certificates.crt".into()));
    assert!(usual_folders.contains(&"/etc/ssl/certs".into()));
    let (file, folders) = (Some(OsStr::new("/own.pem")), Some(OsStr::new("/a:/b")));
    assert_eq!(authorities::places(file, None), (vec!["/own.pem".into()], usual_folders));
    assert_eq!(authorities::places(None, folders), (usual_files, vec!["/a".into(), "/b".into()]));
}

#[test]
fn where_the_system_has_no_authority_those_that_are_compiled_in_are_trusted() {
    let scratch = Scratch::new("none");
    let compiled_in = webpki_roots::TLS_SERVER_ROOTS.len();
    let text = scratch.write("text/file", "no certificate\n");
    let folder = text.parent().unwrap().as_os_str();
    for bundle in [scratch.0.join("missing"), text.clone(), PathBuf::from("/dev/null")] {
        assert_eq!(found(Some(bundle.as_os_str()), Some(folder), &[]).1, compiled_in, "{bundle:?}");
    }
}
