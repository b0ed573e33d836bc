//! Session tickets (RFC 8446 §4.6.1, RFC 5077), with which a client that comes back skips most of the handshake: also with
//! the next front, and the next server.
//!
//! Every six hours another key encrypts them, made of the one before by a function that cannot be turned back, so that who
//! finds today's key does not read yesterday's sessions. What is kept in the state directory is where this row stands.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{hmac, rand};
use rustls::server::ProducesTickets;
use zeroize::Zeroizing;

/// How long one key encrypts, in seconds. It decrypts as long again.
const EPOCH: u64 = 6 * 60 * 60;

/// A row that stood still for more epochs than this begins anew.
const OLDEST: u64 = 4 * 7;

/// Its name in the state directory.
const FILE: &str = "tls-tickets";

/// Where the row of keys stands.
#[derive(Clone)]
pub(crate) struct Seed {
    epoch: u64,
    /// The epoch, and the secret.
    bytes: Zeroizing<[u8; 40]>,
}

impl Seed {
    fn new(epoch: u64, secret: &[u8; 32]) -> Seed {
        let mut bytes = Zeroizing::new([0; 40]);
        bytes[..8].copy_from_slice(&epoch.to_be_bytes());
        bytes[8..].copy_from_slice(secret);
        Seed { epoch, bytes }
    }

    fn random(epoch: u64) -> Seed {
        let mut secret = Zeroizing::new([0; 32]);
        // The library draws it from the system, or ends the process.
        let _always = rand::fill(secret.as_mut_slice());
        Seed::new(epoch, &secret)
    }

    /// As it is kept.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.as_slice()
    }

    /// As it was kept.
    pub(crate) fn from_bytes(bytes: &[u8]) -> io::Result<Seed> {
        let (epoch, secret) = bytes.split_at_checked(8).ok_or(io::ErrorKind::InvalidData)?;
        let invalid = |_| io::Error::from(io::ErrorKind::InvalidData);
        let epoch = u64::from_be_bytes(epoch.try_into().map_err(invalid)?);
        Ok(Seed::new(epoch, secret.try_into().map_err(invalid)?))
    }

    /// The row at a later epoch; none if it stood still for too long, or is ahead of the clock.
    fn at(self, epoch: u64) -> Option<Seed> {
        let steps = epoch.checked_sub(self.epoch).filter(|steps| *steps <= OLDEST)?;
        let next = |seed: Seed, _| Seed::new(seed.epoch + 1, &seed.derive(b"next"));
        Some((0..steps).fold(self, next))
    }

    fn derive(&self, what: &[u8]) -> Zeroizing<[u8; 32]> {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &self.bytes[8..]), what);
        let mut derived = Zeroizing::new([0; 32]);
        derived.copy_from_slice(tag.as_ref());
        derived
    }
}

fn epoch_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() / EPOCH).max(1)
}

/// The row of keys that is kept in a directory, one epoch behind so that the keys of two can be had; a new one where there
/// is none. Servers that keep it in one place have one row.
pub(crate) fn seed(directory: Option<&Path>) -> Seed {
    let wanted = epoch_now() - 1;
    let kept = directory.and_then(|directory| fs::read(directory.join(FILE)).ok().map(Zeroizing::new));
    let kept = kept.and_then(|bytes| Seed::from_bytes(&bytes).ok());
    if let Some(seed) = kept.as_ref().filter(|seed| seed.epoch == wanted) {
        return seed.clone();
    }
    let seed = kept.and_then(|seed| seed.at(wanted)).unwrap_or_else(|| Seed::random(wanted));
    // Where it cannot be kept, the next server begins anew.
    let _kept = directory.map(|directory| keep(directory, &seed));
    seed
}

fn keep(directory: &Path, seed: &Seed) -> io::Result<()> {
    let new = directory.join(format!("{FILE}.{}", std::process::id()));
    let mut file: File =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(seed.as_bytes())?;
    fs::rename(&new, directory.join(FILE))
}

/// Encrypts and decrypts tickets.
pub(crate) struct Tickets {
    /// Tickets are good only where they were made under the same rules for clients: else one that was let in without a
    /// certificate here would be let in where one is required.
    rules: [u8; 32],
    row: Mutex<Row>,
}

struct Row {
    /// One epoch behind.
    seed: Seed,
    previous: Option<LessSafeKey>,
    current: Option<LessSafeKey>,
}

impl std::fmt::Debug for Tickets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tickets")
    }
}

impl Tickets {
    pub(crate) fn new(seed: Seed, rules: [u8; 32]) -> Tickets {
        Tickets { row: Mutex::new(Row::new(seed, &rules)), rules }
    }

    /// Does something with the row as it is in this epoch.
    fn with<T>(&self, now: u64, act: impl FnOnce(&Row) -> T) -> T {
        let mut row = self.row.lock().unwrap_or_else(PoisonError::into_inner);
        if row.seed.epoch + 1 < now {
            let seed = row.seed.clone().at(now - 1).unwrap_or_else(|| Seed::random(now - 1));
            *row = Row::new(seed, &self.rules);
        }
        act(&row)
    }
}

impl Row {
    fn new(seed: Seed, rules: &[u8; 32]) -> Row {
        let key = |seed: &Seed| {
            let bytes = seed.derive(&[b"tickets".as_slice(), rules].concat());
            UnboundKey::new(&AES_256_GCM, bytes.as_slice()).map(LessSafeKey::new).ok()
        };
        let previous = key(&seed);
        let current = seed.clone().at(seed.epoch + 1).and_then(|next| key(&next));
        Row { seed, previous, current }
    }

    /// The epoch, a nonce, and what is encrypted.
    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).ok()?;
        let epoch = (self.seed.epoch + 1).to_be_bytes();
        let (mut sealed, unique) = (plain.to_vec(), Nonce::assume_unique_for_key(nonce));
        let key = self.current.as_ref()?;
        key.seal_in_place_append_tag(unique, Aad::from(&epoch), &mut sealed).ok()?;
        Some([epoch.as_slice(), &nonce, &sealed].concat())
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        let (epoch, rest) = cipher.split_at_checked(8)?;
        let (nonce, sealed) = rest.split_at_checked(NONCE_LEN)?;
        let key = match u64::from_be_bytes(epoch.try_into().ok()?).checked_sub(self.seed.epoch)? {
            0 => self.previous.as_ref(),
            1 => self.current.as_ref(),
            _ => None,
        }?;
        let (mut sealed, nonce) = (sealed.to_vec(), Nonce::try_assume_unique_for_key(nonce).ok()?);
        let length = key.open_in_place(nonce, Aad::from(epoch), &mut sealed).ok()?.len();
        sealed.truncate(length);
        Some(sealed)
    }
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        EPOCH as u32
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.with(epoch_now(), |row| row.encrypt(plain))
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        self.with(epoch_now(), |row| row.decrypt(cipher))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tickets(seed: &Seed, rules: u8) -> Tickets {
        Tickets::new(seed.clone(), [rules; 32])
    }

    #[test]
    fn tickets_are_good_for_the_same_row_and_rules_alone() {
        let seed = Seed::random(epoch_now() - 1);
        let ticket = tickets(&seed, 1).encrypt(b"session").unwrap();
        assert_eq!(tickets(&seed, 1).decrypt(&ticket).as_deref(), Some(b"session".as_slice()));
        assert_eq!(tickets(&seed, 2).decrypt(&ticket), None);
        assert_eq!(tickets(&Seed::random(epoch_now() - 1), 1).decrypt(&ticket), None);
        let mut other = ticket.clone();
        for index in 0..other.len() {
            other[index] ^= 1;
            assert_eq!(tickets(&seed, 1).decrypt(&other), None, "{index}");
            other[index] ^= 1;
        }
        assert_eq!(tickets(&seed, 1).decrypt(&ticket[..20]), None);
        assert_eq!(tickets(&seed, 1).decrypt(b""), None);
    }

    #[test]
    fn a_key_decrypts_for_one_epoch_more() {
        let tickets = tickets(&Seed::random(99), 1);
        let ticket = tickets.with(100, |row| row.encrypt(b"s")).unwrap();
        let decrypt = |now| tickets.with(now, |row| row.decrypt(&ticket)).is_some();
        assert_eq!([decrypt(100), decrypt(101), decrypt(102)], [true, true, false]);
    }

    #[test]
    fn a_row_does_not_go_back_nor_stand_still_for_long() {
        assert!(Seed::random(5).at(4).is_none());
        assert!(Seed::random(5).at(5 + OLDEST).is_some());
        assert!(Seed::random(5).at(6 + OLDEST).is_none());
    }

    #[test]
    fn it_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let first = seed(Some(directory.path()));
        let second = seed(Some(directory.path()));
        assert_eq!(first.as_bytes(), second.as_bytes());
        assert_ne!(seed(None).as_bytes(), seed(None).as_bytes());
        fs::write(directory.path().join(FILE), b"no seed").unwrap();
        assert_ne!(seed(Some(directory.path())).as_bytes(), first.as_bytes());
    }
}
