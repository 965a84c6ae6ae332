//! Where the Corefile comes from: a file as it is, or the base Corefile with its placeholders filled in.
//!
//! ```text
//!   -basecorefile --------.
//!   ConfigMap kube-dns ---+--> Template --> text --> the plan
//!   flags, environment ---'                  '----> written to -conf or -corefile, for whoever looks there
//! ```

pub mod changes;
pub mod config_map;
pub mod manifest;
pub mod template;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use self::config_map::ConfigMap;
use self::template::Values;

/// Where node-cache looks for its base Corefile.
pub const BASE: &str = "/etc/coredns/Corefile.base";
/// Where node-cache looks for the ConfigMap kube-dns.
pub const CONFIG_MAP: &str = "/etc/kube-dns";

/// Where the Corefile comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// A file as it is.
    File(PathBuf),
    /// A base Corefile to be rendered.
    Base(Base),
}

/// A base Corefile and what is filled in.
#[derive(Clone, Debug)]
pub struct Base {
    /// The base Corefile.
    pub path: PathBuf,
    /// The mounted ConfigMap kube-dns, if there is one.
    pub config_map: Option<PathBuf>,
    /// What stands for the placeholders.
    pub values: Values,
    /// Where the rendered text is written; it is served whether or not it can be.
    pub written_to: Option<PathBuf>,
}

/// A Corefile as it is to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// What errors call it.
    pub name: String,
    /// The text.
    pub text: String,
    /// What was not as it should be, and does not stand in the way.
    pub warnings: Vec<String>,
    /// True if the ConfigMap was flawed and passed over.
    pub without_config_map: bool,
}

/// What becomes of a ConfigMap that is not what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flawed {
    /// It is passed over with a warning: at the start, where the alternative is no DNS at all.
    PassOver,
    /// It is an error: at a reload, where the alternative is what is served already.
    Refuse,
}

impl Source {
    /// Reads, and renders if there is something to render.
    ///
    /// # Errors
    /// A file cannot be read, a placeholder has no value, or a flawed ConfigMap is not to be passed over.
    pub fn read(&self, flawed: Flawed) -> anyhow::Result<Text> {
        match self {
            Self::File(path) => {
                let name = path.display().to_string();
                let text = fs::read_to_string(path)
                    .with_context(|| format!("cannot read the Corefile {name}; name another with -conf"))?;
                Ok(Text { name, text, warnings: Vec::new(), without_config_map: false })
            }
            Self::Base(base) => base.render(flawed),
        }
    }

    /// The same without the ConfigMap; `None` if there is none.
    pub fn without_config_map(&self) -> Option<Self> {
        match self {
            Self::Base(base) if base.config_map.is_some() => {
                Some(Self::Base(Base { config_map: None, ..base.clone() }))
            }
            Self::Base(_) | Self::File(_) => None,
        }
    }

    /// Writes the rendered text where node-cache writes it. Nothing is written for a file that is served as it is.
    pub fn keep(&self, text: &Text) {
        let Self::Base(Base { written_to: Some(path), .. }) = self else { return };
        match write_atomically(path, text.text.as_bytes()) {
            Ok(()) => tracing::debug!("the rendered Corefile is written to {}", path.display()),
            Err(error) => {
                tracing::info!("the rendered Corefile is served, and not written to {}: {error}", path.display());
            }
        }
    }

    /// The folders in which a change means that it is to be read again.
    pub fn folders(&self) -> Vec<PathBuf> {
        let Self::Base(base) = self else { return Vec::new() };
        let folder_of = |path: &Path| match path.parent() {
            Some(folder) if folder != Path::new("") => folder.to_owned(),
            Some(_) | None => PathBuf::from("."),
        };
        let mut folders = vec![folder_of(&base.path)];
        // a link may lead into another folder, where what it leads to is changed
        let target = fs::read_link(&base.path).ok().map(|target| folder_of(&folders[0].join(target)));
        folders.extend(target);
        folders.extend(base.config_map.clone());
        folders.dedup();
        folders
    }

    /// The file that whoever runs this would change.
    pub fn path(&self) -> &Path {
        match self {
            Self::File(path) => path,
            Self::Base(base) => &base.path,
        }
    }
}

impl Base {
    fn render(&self, flawed: Flawed) -> anyhow::Result<Text> {
        let name = self.path.display().to_string();
        let base = fs::read_to_string(&self.path)
            .with_context(|| format!("cannot read the base Corefile {name}; name another with -basecorefile"))?;
        let (config_map, mut warnings) = match self.config_map.as_deref().map(ConfigMap::read) {
            Some(Ok(config_map)) => (config_map, Vec::new()),
            Some(Err(error)) if flawed == Flawed::Refuse => return Err(error.into()),
            Some(Err(error)) => (ConfigMap::default(), vec![format!("{error}; served without it")]),
            None => (ConfigMap::default(), Vec::new()),
        };
        let without_config_map = !warnings.is_empty();
        let rendered =
            template::render(&base, &self.values, &config_map).map_err(|error| anyhow::anyhow!("{name}:{error}"))?;
        warnings.extend(rendered.warnings.into_iter().map(|warning| format!("{name}:{warning}")));
        Ok(Text { name, text: rendered.text, warnings, without_config_map })
    }
}

/// Replaces a file whole: whoever reads it sees the old text or the new one.
fn write_atomically(path: &Path, text: &[u8]) -> std::io::Result<()> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(format!(".{}", std::process::id()));
    let aside = PathBuf::from(aside);
    let written =
        fs::File::create(&aside).and_then(|mut file| file.write_all(text)).and_then(|()| fs::rename(&aside, path));
    if written.is_err() {
        let _ = fs::remove_file(&aside); // it may not be there
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_rendered_with_its_config_map_and_written_whole() {
        let folder = std::env::temp_dir().join(format!("nearpath-source-{}", std::process::id()));
        let config_map = folder.join("kube-dns");
        fs::create_dir_all(&config_map).unwrap();
        fs::write(
            folder.join("Corefile.base"),
            ".:53 {\n    bind __PILLAR__LOCAL__DNS__\n    forward . __PILLAR__UPSTREAM__SERVERS__\n}\n",
        )
        .unwrap();
        fs::write(config_map.join("upstreamNameservers"), r#"["192.0.2.1", "192.0.2.2:5353"]"#).unwrap();
        let source = Source::Base(Base {
            path: folder.join("Corefile.base"),
            config_map: Some(config_map.clone()),
            values: Values { local: vec!["169.254.20.10".parse().unwrap()], ..Values::default() },
            written_to: Some(folder.join("Corefile")),
        });
        let text = source.read(Flawed::PassOver).unwrap();
        assert!(text.text.contains("forward . 192.0.2.1 192.0.2.2:5353"), "{}", text.text);
        source.keep(&text);
        assert_eq!(fs::read_to_string(folder.join("Corefile")).unwrap(), text.text);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 3, "nothing is left beside it");
        fs::write(config_map.join("upstreamNameservers"), "[").unwrap();
        let text = source.read(Flawed::PassOver).unwrap();
        assert!(text.warnings[0].contains("upstreamNameservers"), "{:?}", text.warnings);
        assert!(text.text.contains("forward . /etc/resolv.conf"));
        assert!(source.read(Flawed::Refuse).is_err());
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_cannot_be_written_is_served() {
        assert!(write_atomically(Path::new("/proc/nowhere/Corefile"), b"").is_err());
    }
}
