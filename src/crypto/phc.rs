//! Password hashes as they are stored: argon2id in the PHC string format.

use std::fmt;

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::domain::error::AppError;

/// 19 MiB, two passes, one lane: 10 to 35 ms. Stored hashes carry their own parameters, so these can be raised.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
pub const SALT: usize = 16;
const OUTPUT: usize = 32;

/// What a stored hash may ask for. A damaged or planted one must not take the machine's memory or the thread for minutes.
const MOST_MEMORY_KIB: u32 = 256 * 1024;
const MOST_PASSES: u32 = 16;
const MOST_LANES: u32 = 16;

/// Of our cost and of no password: who does not exist costs the same as who typed a wrong one.
pub const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The blocks argon2 works in, reused from job to job.
#[derive(Default)]
pub struct Memory {
    blocks: Vec<Block>,
}

impl Memory {
    /// glibc maps every allocation above 32 MiB separately and gives it back when freed. 19 MiB it maps so only once and
    /// keeps later: measured, 61 MB resident after four rushes and growing, against 2.4 MB. Reserved pages cost nothing.
    const MAPPED_SEPARATELY: usize = 33 * 1024 * 1024 / Block::SIZE;

    fn blocks(&mut self, count: usize) -> Result<&mut [Block], argon2::Error> {
        if self.blocks.len() < count {
            self.free();
            // Asked first: a plain allocation that fails ends the process.
            let reserved = self.blocks.try_reserve_exact(count.max(Self::MAPPED_SEPARATELY));
            reserved.map_err(|_| argon2::Error::OutOfMemory)?;
            self.blocks.resize(count, Block::new());
        }
        Ok(&mut self.blocks[..count])
    }

    pub fn free(&mut self) {
        self.blocks = Vec::new();
    }
}

/// The string to store: `$argon2id$v=19$m=19456,t=2,p=1$salt$hash`.
pub fn hash(memory: &mut Memory, password: &SecretString, salt: &[u8]) -> Result<String, AppError> {
    let fault = |error: &dyn fmt::Display| AppError::Internal(format!("a password cannot be hashed: {error}"));
    let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(OUTPUT)).map_err(|error| fault(&error))?;
    let stored = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(&params).map_err(|error| fault(&error))?,
        salt: Some(Salt::new(salt).map_err(|error| fault(&error))?),
        hash: Some(compute(memory, params, password, salt, OUTPUT).map_err(|error| fault(&error))?),
    };
    Ok(stored.to_string())
}

/// Whether `phc` is a hash of `password`, by the parameters it names itself.
pub fn verify(memory: &mut Memory, password: &SecretString, phc: &str) -> Result<bool, AppError> {
    let fault = |why: &str| AppError::Internal(format!("a stored password hash cannot be used: {why}"));

    let stored = PasswordHash::new(phc).map_err(|_| fault("it is not a PHC string"))?;
    if Algorithm::try_from(stored.algorithm.as_str()) != Ok(Algorithm::Argon2id) {
        return Err(fault("it is not argon2id"));
    }
    if stored.version != Some(Version::V0x13.into()) {
        return Err(fault("it is not version 19"));
    }
    let (Some(salt), Some(expected)) = (&stored.salt, &stored.hash) else {
        return Err(fault("its salt or hash is missing"));
    };
    let params = Params::try_from(&stored).map_err(|_| fault("its parameters cannot be read"))?;
    if params.m_cost() > MOST_MEMORY_KIB || params.t_cost() > MOST_PASSES || params.p_cost() > MOST_LANES {
        return Err(fault("it asks for more memory, passes or lanes than we allow"));
    }
    let found =
        compute(memory, params, password, salt.as_ref(), expected.len()).map_err(|error| fault(&error.to_string()))?;
    Ok(found.as_bytes().ct_eq(expected.as_bytes()).into())
}

fn compute(
    memory: &mut Memory,
    params: Params,
    password: &SecretString,
    salt: &[u8],
    length: usize,
) -> argon2::password_hash::Result<Output> {
    let blocks = memory.blocks(params.block_count())?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let mut output = [0; Output::MAX_LENGTH];
    let output = &mut output[..length];
    argon2.hash_password_into_with_memory(password.expose_secret().as_bytes(), salt, output, blocks)?;
    Ok(Output::new(output)?)
}

#[cfg(test)]
mod tests {
    use argon2::PasswordHasher;

    use super::*;

    fn secret(text: &str) -> SecretString {
        SecretString::from(text)
    }

    /// A string of argon2's own making.
    fn theirs(password: &str, memory_kib: u32, passes: u32, lanes: u32) -> String {
        let params = Params::new(memory_kib, passes, lanes, Some(OUTPUT)).unwrap();
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_with_salt(password.as_bytes(), b"0123456789abcdef")
            .unwrap()
            .to_string()
    }

    #[test]
    fn an_unknown_user_costs_what_our_own_hashes_cost() {
        let parsed = PasswordHash::new(NOBODY).unwrap();
        let ours = Params::new(MEMORY_KIB, PASSES, LANES, Some(OUTPUT)).unwrap();
        let params = Params::try_from(&parsed).unwrap();
        assert_eq!(
            (params.m_cost(), params.t_cost(), params.p_cost(), params.output_len()),
            (ours.m_cost(), ours.t_cost(), ours.p_cost(), ours.output_len())
        );
        assert_eq!(parsed.salt.unwrap().len(), SALT);
        assert_eq!(verify(&mut Memory::default(), &secret("xY7-q2.z"), NOBODY), Ok(false));
    }

    #[test]
    fn a_stored_string_that_is_no_argon2id_hash_is_a_fault_of_ours_and_not_quoted() {
        let good = theirs("xY7-q2.z", 64, 1, 1);
        let (head, hash) = good.rsplit_once('$').unwrap();
        for bad in [
            String::new(),
            "xY7-q2.z".into(),
            head.into(),
            good.replace("argon2id", "argon2i"),
            good.replace("argon2id", "scrypt"),
            good.replace("v=19", "v=16"),
            good.replace("$v=19", ""),
            good.replace("m=64", "m=1"),
            good.replace("m=64", "m=x"),
            good.replace("p=1", "p=0"),
            format!("{head}$!{}", hash.get(1..).unwrap()),
        ] {
            match verify(&mut Memory::default(), &secret("xY7-q2.z"), &bad) {
                Err(AppError::Internal(text)) => assert!(!text.contains(hash), "{text}"),
                other => panic!("{bad}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_stored_string_that_asks_for_too_much_is_refused_before_any_memory_is_taken() {
        let good = theirs("xY7-q2.z", 64, 1, 1);
        for bad in [
            good.replace("m=64", "m=262145"),
            good.replace("m=64", "m=4294967295"),
            good.replace("t=1", "t=17"),
            good.replace("m=64,t=1,p=1", "m=1024,t=1,p=17"),
        ] {
            let mut memory = Memory::default();
            let answer = verify(&mut memory, &secret("xY7-q2.z"), &bad);
            assert!(matches!(answer, Err(AppError::Internal(_))), "{bad}: {answer:?}");
            assert_eq!(memory.blocks.capacity(), 0);
        }
    }

    #[test]
    fn our_strings_are_those_of_argon2_itself() {
        let mut memory = Memory::default();
        for _ in 0..2 {
            let ours = hash(&mut memory, &secret("xY7-q2.z"), b"0123456789abcdef").unwrap();
            assert_eq!(ours, theirs("xY7-q2.z", MEMORY_KIB, PASSES, LANES));
        }
    }

    #[test]
    fn a_string_of_other_parameters_verifies_by_its_own_in_memory_that_other_jobs_used() {
        let mut memory = Memory::default();
        for (memory_kib, passes, lanes) in [(64, 1, 1), (40_000, 1, 4), (100, 3, 2), (19_456, 2, 1)] {
            let phc = theirs("xY7-q2.z", memory_kib, passes, lanes);
            assert_eq!(verify(&mut memory, &secret("xY7-q2.z"), &phc), Ok(true), "{phc}");
            assert_eq!(verify(&mut memory, &secret("xY7-q2.Z"), &phc), Ok(false), "{phc}");
        }
    }
}
