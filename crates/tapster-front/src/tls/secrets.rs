//! What the files hold that the certificates, the keys and the other options of TLS name. The supervisor reads them, because
//! it may be the only one that can, and hands them to the front in a nameless file; workers never have it.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use tapster_config::{Settings, TlsCertificate};
use zeroize::Zeroizing;

use super::tickets::{self, Seed};
use super::{self_signed, state};

/// The largest file that is taken for one of these.
const LARGEST: u64 = 4 << 20;

/// What a file held, and where it was.
pub(crate) struct Content {
    pub(crate) path: PathBuf,
    pub(crate) bytes: Zeroizing<Vec<u8>>,
}

/// A certificate with its chain, and the key to it.
pub(crate) struct Pair {
    pub(crate) certificate: Content,
    pub(crate) key: Content,
}

/// Everything that is read.
pub struct Secrets {
    pub(crate) pairs: Vec<Pair>,
    /// Whose certificates clients may show.
    pub(crate) client_ca: Option<Content>,
    /// Which of them are taken back; none without the one above.
    pub(crate) client_crl: Option<Content>,
    /// What session tickets are encrypted with.
    pub(crate) tickets: Seed,
}

impl Secrets {
    /// Reads all of them. A certificate of our own making is made first.
    ///
    /// # Errors
    /// In words for the operator, with the file.
    pub fn read(settings: &Settings) -> Result<Secrets, String> {
        let tls = &settings.tls;
        let mut pairs = tls.pairs().iter().map(read_pair).collect::<Result<Vec<_>, _>>()?;
        let directory = state::directory(settings);
        if tls.self_signed {
            let directory = directory.as_ref().map_err(String::clone)?;
            let path = self_signed::ensure(directory, settings)?;
            pairs.push(read_pair(&TlsCertificate { certificate: path.clone(), key: path })?);
        }
        let client_ca = tls.client_ca.as_ref().map(|path| read(path, "--tls-client-ca")).transpose()?;
        let client_crl = tls.client_crl.as_ref().map(|path| read(path, "--tls-client-crl")).transpose()?;
        // Without a place for it the next server begins anew, and clients shake hands in full.
        let tickets = tickets::seed(directory.ok().as_deref());
        Ok(Secrets { pairs, client_ca, client_crl, tickets })
    }

    /// Into a file without a name, for the front.
    ///
    /// # Errors
    /// When the system has no room for it.
    pub fn to_file(&self) -> io::Result<OwnedFd> {
        let mut file = tapster_sys::memory::unnamed_file("tapster-tls")?;
        let mut put = |bytes: &[u8]| {
            file.write_all(&(bytes.len() as u64).to_ne_bytes())?;
            file.write_all(bytes)
        };
        put(self.tickets.as_bytes())?;
        put(&(self.pairs.len() as u64).to_ne_bytes())?;
        let contents = self.pairs.iter().flat_map(|pair| [&pair.certificate, &pair.key]);
        for content in contents.chain(&self.client_ca).chain(&self.client_crl) {
            put(content.path.as_os_str().as_bytes())?;
            put(&content.bytes)?;
        }
        Ok(file.into())
    }

    /// From that file.
    ///
    /// # Errors
    /// When it is no such file.
    pub fn from_file(file: OwnedFd) -> io::Result<Secrets> {
        let mut file = File::from(file);
        file.rewind()?;
        let tickets = Seed::from_bytes(&expect(&mut file)?)?;
        let count = expect(&mut file)?;
        let count: [u8; 8] = count.as_slice().try_into().map_err(|_| io::ErrorKind::InvalidData)?;
        let mut pairs = Vec::new();
        for _ in 0..u64::from_ne_bytes(count) {
            let mut next = || content(&mut file)?.ok_or_else(|| io::ErrorKind::InvalidData.into());
            let pair: io::Result<(Content, Content)> = next().and_then(|first| Ok((first, next()?)));
            let (certificate, key) = pair?;
            pairs.push(Pair { certificate, key });
        }
        Ok(Secrets { pairs, client_ca: content(&mut file)?, client_crl: content(&mut file)?, tickets })
    }
}

/// The next file; none at the end.
fn content(file: &mut File) -> io::Result<Option<Content>> {
    let Some(path) = take(file)? else { return Ok(None) };
    Ok(Some(Content { path: OsString::from_vec(path.to_vec()).into(), bytes: expect(file)? }))
}

fn expect(file: &mut File) -> io::Result<Zeroizing<Vec<u8>>> {
    take(file)?.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// The next piece; none at the end.
fn take(file: &mut File) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let mut length = [0; 8];
    match file.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        result => result?,
    }
    let length = u64::from_ne_bytes(length);
    if length > LARGEST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut bytes = Zeroizing::new(vec![0; length as usize]);
    file.read_exact(&mut bytes)?;
    Ok(Some(bytes))
}

fn read_pair(TlsCertificate { certificate, key }: &TlsCertificate) -> Result<Pair, String> {
    let option = if certificate == key { "--tls-certificate" } else { "--tls-key" };
    Ok(Pair { certificate: read(certificate, "--tls-certificate")?, key: read(key, option)? })
}

fn read(path: &Path, option: &str) -> Result<Content, String> {
    let failed = |error: io::Error| format!("cannot read {}: {error} ({option})", path.display());
    let mut bytes = Zeroizing::new(Vec::new());
    File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes)).map_err(failed)?;
    if bytes.len() as u64 > LARGEST {
        return Err(format!("{} is too large for a certificate or key ({option})", path.display()));
    }
    Ok(Content { path: path.to_owned(), bytes })
}
