//! What needs a secret or randomness: the key file, sealed columns, password hashes. Never SQL, never actix.

pub mod hasher;
pub mod key_export;
pub mod key_file;
mod phc;
pub mod random;
pub mod sealer;
pub mod signer;

pub use hasher::{Hasher, Standing};
pub use key_file::{KeyFile, KeyFileError};
pub use sealer::Sealer;
pub use signer::Signer;
