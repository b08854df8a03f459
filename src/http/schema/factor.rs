//! The shapes of second factors.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A new second factor.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct NewFactor {
    pub person: String,
    /// The secret for the person's authenticator, base32; it is never told again.
    pub secret: String,
    /// The same as an address that authenticators read: `otpauth://totp/…`.
    pub address: String,
}

/// That a person has a second factor.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Factor {
    pub person: String,
    /// Since when.
    pub added_at: super::Time,
}
