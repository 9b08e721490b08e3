//! The two encodings of a message.

use prost::Message;
use runner_rpc::connect::Code;
use runner_rpc::wire::{CONTENT_JSON, CONTENT_PROTO};

use super::Failure;
use super::json::{FromJson, ToJson};

/// How a message is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Proto,
    Json,
}

impl Encoding {
    pub(super) fn of(content_type: Option<&str>) -> Option<Self> {
        match content_type {
            Some(CONTENT_PROTO) => Some(Self::Proto),
            Some(CONTENT_JSON) => Some(Self::Json),
            _ => None,
        }
    }

    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::Proto => CONTENT_PROTO,
            Self::Json => CONTENT_JSON,
        }
    }

    pub(super) fn read<M: Message + Default + FromJson>(self, body: &[u8]) -> Result<M, Failure> {
        let message = match self {
            Self::Proto => M::decode(body).map_err(|error| error.to_string()),
            Self::Json if body.is_empty() => Err("zero-length payload is not a valid JSON object".to_owned()),
            Self::Json => M::from_json(body).map_err(|error| error.to_string()),
        };
        message.map_err(|text| Failure::Connect(Code::InvalidArgument, format!("unmarshal message: {text}")))
    }

    pub(super) fn write<M: Message + ToJson>(self, message: &M) -> Vec<u8> {
        match self {
            Self::Proto => message.encode_to_vec(),
            Self::Json => message.to_json().to_string().into_bytes(),
        }
    }
}
