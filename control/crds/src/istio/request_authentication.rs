//! `RequestAuthentication`: which tokens are good.

use super::{PolicySelector, PolicyTargetReference};
use crate::{message::message, proto::Duration};

message! {
    /// Which tokens are good. A request without one passes.
    pub struct RequestAuthentication {
        /// The pods that check; absent is the whole namespace.
        pub selector: Option<PolicySelector>,
        /// The object that it is attached to, before `target_refs` existed.
        pub target_ref: Option<PolicyTargetReference>,
        /// The objects that it is attached to.
        pub target_refs: Vec<PolicyTargetReference>,
        /// Issuers.
        pub jwt_rules: Vec<JwtRule>,
    }
}

message! {
    /// Tokens of one issuer.
    pub struct JwtRule {
        /// The issuer.
        pub issuer: String,
        /// One of these has to be meant; none is anybody.
        pub audiences: Vec<String>,
        /// Where its keys are.
        pub jwks_uri: String,
        /// Its keys.
        pub jwks: String,
        /// Header fields that tokens come in.
        pub from_headers: Vec<JwtHeader>,
        /// Parameters of the query that tokens come in.
        pub from_params: Vec<String>,
        /// The field that the server gets the content in.
        pub output_payload_to_header: String,
        /// Cookies that tokens come in.
        pub from_cookies: Vec<String>,
        /// Whether the server gets the token.
        pub forward_original_token: bool,
        /// Fields that the server gets claims in.
        pub output_claim_to_headers: Vec<ClaimToHeader>,
        /// To fetch the keys; 5s where absent.
        pub timeout: Option<Duration>,
        /// Claims that are lists separated by spaces.
        pub space_delimited_claims: Vec<String>,
    }
}

message! {
    /// A header field that tokens come in.
    pub struct JwtHeader {
        /// The field.
        pub name: String,
        /// What stands before the token, with the space.
        pub prefix: String,
    }
}

message! {
    /// A field that the server gets a claim in.
    pub struct ClaimToHeader {
        /// The field.
        pub header: String,
        /// The claim.
        pub claim: String,
    }
}
