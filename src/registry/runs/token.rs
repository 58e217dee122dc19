//! The secrets of leases: told once, kept only as a hash.

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::domain::execution::lease::TokenHash;

/// What the secret of a lease is made of.
pub struct Ingredients {
    /// The client's own, for a request that may be sent again.
    key: Option<String>,
    /// Of 244 random bits.
    pub salt: String,
}

impl Ingredients {
    pub fn new(key: Option<String>) -> Self {
        Self { key, salt: format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple()) }
    }

    /// As the first request with the same key made it.
    pub fn with_salt(self, salt: String) -> Self {
        Self { salt, ..self }
    }

    /// With a key, the secret follows from it and from a salt that only the database knows, so that
    /// it can be told again and is kept nowhere. Without one, the salt is the secret.
    #[must_use]
    pub fn secret(&self) -> String {
        match &self.key {
            // The salt has a fixed length, so no other key and salt make the same text.
            Some(key) => hash(format!("{}{key}", self.salt)).0,
            None => self.salt.clone(),
        }
    }
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
