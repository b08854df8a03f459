//! Second factors: the secrets of people's authenticators (TOTP, RFC 6238: SHA-1, six digits, thirty seconds), in files of
//! their own below the data directory, and whether a code is right. The time is told, never read here. That a code counts
//! once, and what it lets anybody do, is decided in `domain/change/authority/factor.rs`.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{Error, ErrorKind, Result, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use totp_rs::{Builder, Secret};

use crate::domain::actor::{Actor, Factor};
use crate::domain::command::spec::Lexicon;
use crate::domain::command::{Call, grammar};
use crate::domain::id::PersonId;
use crate::domain::input::{Input, InputKind};
use crate::domain::time::Timestamp;

/// The command that takes a code, and its option.
const COMMAND: &str = "change.approve";
const OPTION: &str = "code";
/// What stands in a rehearsal for the code that the authenticator shows just now.
pub const NOW: &str = "now";
/// How long a secret is, in bytes, as RFC 4226 recommends.
const SECRET_LEN: usize = 20;
/// How the files are called: `cleo.totp`.
const ENDING: &str = "totp";

/// The secrets of all people who have one.
#[derive(Clone, Default)]
pub struct Factors {
    secrets: Arc<RwLock<BTreeMap<PersonId, Secret>>>,
    /// Where they are kept; in memory only where there is no folder.
    dir: Option<PathBuf>,
    /// A rehearsal: everybody has one, and `code:now` is right.
    simulated: bool,
}

impl Factors {
    /// Those of a folder, which is made when the first one is.
    ///
    /// # Errors
    /// One of its files cannot be read, or is no secret.
    pub fn open(dir: &Path) -> Result<Self> {
        let mut secrets = BTreeMap::new();
        let files = match fs::read_dir(dir) {
            Ok(files) => files.collect::<Result<Vec<_>>>()?,
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        for file in files {
            let path = file.path();
            let Some(person) = path.file_stem().and_then(|name| name.to_str()) else { continue };
            if path.extension().is_none_or(|ending| ending != ENDING) {
                continue;
            }
            let text = fs::read_to_string(&path)?;
            // Nothing of what it holds is told.
            let secret = Secret::try_from_base32(text.trim()).map_err(|_| {
                Error::new(ErrorKind::InvalidData, format!("{}: is no secret of an authenticator", path.display()))
            })?;
            secrets.insert(PersonId::from(person), secret);
        }
        Ok(Self { secrets: Arc::new(RwLock::new(secrets)), dir: Some(dir.to_owned()), simulated: false })
    }

    /// Those of a rehearsal.
    pub fn simulated() -> Self {
        Self { simulated: true, ..Self::default() }
    }

    /// Gives a person a new secret, of these random bytes; an old one is right no longer. Returns it as authenticators
    /// take it, base32: it is told this once.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn make(&self, person: &PersonId, bytes: [u8; SECRET_LEN]) -> Result<String> {
        let secret = Secret::from(bytes);
        let text = secret.to_base32();
        if let Some(path) = self.path(person) {
            let dir = path.parent().unwrap_or(&path);
            DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
            let fresh = path.with_extension("new");
            // One that is left from an interrupted start may be open to others.
            match fs::remove_file(&fresh) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&fresh)?;
            writeln!(file, "{text}")?;
            file.sync_all()?;
            fs::rename(&fresh, &path)?;
        }
        self.secrets.write().unwrap_or_else(PoisonError::into_inner).insert(person.clone(), secret);
        Ok(text)
    }

    /// Takes a person's secret away.
    ///
    /// # Errors
    /// Its file cannot be removed.
    pub fn remove(&self, person: &PersonId) -> Result<()> {
        self.secrets.write().unwrap_or_else(PoisonError::into_inner).remove(person);
        match self.path(person).map(fs::remove_file) {
            Some(Err(error)) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// People are named by small letters, digits, `-` and `_`; whoever is not has no file.
    fn path(&self, person: &PersonId) -> Option<PathBuf> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        let dir = self.dir.as_ref().filter(|_| person.as_str().chars().all(plain) && !person.as_str().is_empty())?;
        Some(dir.join(format!("{person}.{ENDING}")))
    }

    /// Looks at the code that comes with an input, and says in its envelope what became of it. Whatever an envelope said
    /// of that before counts for nothing.
    pub fn prove(&self, input: &mut Input, lexicon: &Lexicon, now: Timestamp) {
        input.by.factor = None;
        let Actor::Person(person) = &input.by.actor else { return };
        let Some(code) = code_of(&input.kind, lexicon) else { return };
        input.by.factor = Some(self.check(person, &code, now));
    }

    /// What a code is worth, within one step before and after now.
    pub fn check(&self, person: &PersonId, code: &str, now: Timestamp) -> Factor {
        let at = u64::try_from(now.unix_secs()).unwrap_or_default();
        let code = code.trim();
        if self.simulated {
            return if code == NOW { Factor::Right { step: at / 30 } } else { Factor::Wrong };
        }
        let secrets = self.secrets.read().unwrap_or_else(PoisonError::into_inner);
        let Some(secret) = secrets.get(person) else { return Factor::Unknown };
        if code.len() != 6 || !code.bytes().all(|byte| byte.is_ascii_digit()) {
            return Factor::Wrong;
        }
        // Six digits, thirty seconds, one step to each side: the library compares in constant time.
        let totp = Builder::new().with_secret(secret.clone()).with_skew(1).build();
        match totp.ok().and_then(|totp| totp.check(code, at)) {
            Some(step) => Factor::Right { step },
            None => Factor::Wrong,
        }
    }
}

/// The code that is said with an approval.
fn code_of(kind: &InputKind, lexicon: &Lexicon) -> Option<String> {
    let of = |call: &Call| {
        let spec = lexicon.commands.iter().find(|spec| spec.name == call.command)?;
        let said = || call.options.iter().find(|(name, _)| name == OPTION).map(|(_, code)| code.clone());
        (spec.run == COMMAND).then(said).flatten()
    };
    match kind {
        // Most of what is said has none, and is read once only.
        InputKind::Text { text, .. } if text.contains(OPTION) => {
            grammar::parse(text, lexicon).ok().and_then(|it| of(&it))
        }
        InputKind::Call { call, .. } => of(call),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    /// The secret of RFC 6238, appendix B.
    const SECRET: [u8; 20] = *b"12345678901234567890";

    fn at(secs: i64) -> Timestamp {
        Timestamp(secs * 1000)
    }

    #[test]
    fn codes_are_those_of_the_rfc_within_one_step() {
        let factors = Factors::default();
        let bas = PersonId::from("bas");
        assert_eq!(factors.check(&bas, "287082", at(59)), Factor::Unknown);
        factors.make(&bas, SECRET).unwrap();
        // Appendix B has eight digits; the last six are those of the shorter code.
        for (secs, code) in [(1_234_567_890, "005924"), (1_111_111_109, "081804"), (2_000_000_000, "279037")] {
            let step = u64::try_from(secs).unwrap() / 30;
            for (late, right) in [(-60, false), (-30, true), (0, true), (30, true), (60, false)] {
                let seen = factors.check(&bas, code, at(secs + late));
                assert_eq!(seen, if right { Factor::Right { step } } else { Factor::Wrong }, "{code} {late}");
            }
        }
        for odd in ["", "28708", "2870822", "28708a", "287 82", "-28708", "٢٨٧٠٨٢", "now"] {
            assert_eq!(factors.check(&bas, odd, at(59)), Factor::Wrong, "{odd:?}");
        }
        assert_eq!(factors.check(&bas, " 287082 ", at(59)), Factor::Right { step: 1 });
        factors.make(&bas, [7; 20]).unwrap();
        assert_eq!(factors.check(&bas, "287082", at(59)), Factor::Wrong, "the old secret counts no longer");
    }

    #[test]
    fn secrets_are_files_of_their_own_that_nobody_else_reads() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("factors");
        let factors = Factors::open(&folder).unwrap();
        let text = factors.make(&"bas".into(), SECRET).unwrap();
        assert_eq!(text, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&folder.join("bas.totp"))), (0o700, 0o600));
        let again = Factors::open(&folder).unwrap();
        assert_eq!(again.check(&"bas".into(), "287082", at(59)), Factor::Right { step: 1 });
        again.remove(&"bas".into()).unwrap();
        again.remove(&"bas".into()).unwrap();
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
        // A name that is no name makes no file anywhere.
        again.make(&"../out".into(), SECRET).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        fs::write(folder.join("cleo.totp"), "no secret!").unwrap();
        let error = Factors::open(&folder).err().unwrap().to_string();
        assert!(error.contains("cleo.totp: is no secret") && !error.contains("no secret!"), "{error}");
    }
}
