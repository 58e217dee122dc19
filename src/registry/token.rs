//! The secrets of leases: told once, kept only as a hash.

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::domain::lease::TokenHash;

/// A secret of 244 random bits.
#[must_use]
pub fn new_token() -> String {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}

/// A secret that follows from a client's key and a salt that only the database knows.
#[must_use]
pub fn derive(key: &str, salt: &str) -> String {
    // The salt has a fixed length, so no other key and salt make the same text.
    hash(format!("{salt}{key}")).0
}

/// One round is enough: nobody guesses 244 bits.
#[must_use]
pub fn hash(token: impl AsRef<[u8]>) -> TokenHash {
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(token) {
        text.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or_default());
        text.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or_default());
    }
    TokenHash(text)
}
