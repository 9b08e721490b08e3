//! forge-model behind Forgejo's real wire: REST and Connect RPC.
#![forbid(unsafe_code)]
