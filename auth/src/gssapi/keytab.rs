//! Tickets by the keys of a keytab that is named: what the bindings have no safe name for.
#![expect(unsafe_code, reason = "the library takes a keytab by gss_acquire_cred_from alone")]

use std::{
    ffi::{CStr, CString, c_void},
    ptr,
    sync::atomic::{AtomicU64, Ordering},
};

use libgssapi::{
    credential::Cred,
    error::{Error, MajorFlags},
};
use libgssapi_sys::{
    _GSS_C_INDEFINITE, GSS_C_INITIATE, GSS_S_COMPLETE, gss_OID_desc, gss_OID_set_desc, gss_acquire_cred_from,
    gss_buffer_desc, gss_cred_id_t, gss_cred_usage_t, gss_import_name, gss_key_value_element_desc,
    gss_key_value_set_desc, gss_name_t, gss_release_name,
};

/// 1.2.840.113554.1.2.2
const KRB5: &[u8] = b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x02";
/// 1.2.840.113554.1.2.2.1
const KRB5_PRINCIPAL: &[u8] = b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x01";

/// Where the tickets of a keytab are kept: in memory, and nobody else's.
pub(super) struct Cache(CString);

impl Cache {
    pub(super) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        // There is no zero in it.
        Self(CString::new(format!("MEMORY:klamm-{number}")).unwrap_or_default())
    }

    /// The ticket that is kept if it is good for some time, otherwise a new one.
    pub(super) fn acquire(&self, keytab: &CStr, principal: Option<&str>) -> Result<Cred, Error> {
        let name = principal.map(PrincipalName::new).transpose()?;
        let mut elements = [(c"client_keytab", keytab), (c"ccache", self.0.as_c_str())]
            .map(|(key, value)| gss_key_value_element_desc { key: key.as_ptr(), value: value.as_ptr() });
        let store = gss_key_value_set_desc { count: 2, elements: elements.as_mut_ptr() };
        let mut mechanism = oid(KRB5);
        let mut mechanisms = gss_OID_set_desc { count: 1, elements: &raw mut mechanism };
        let (mut minor, mut credentials): (u32, gss_cred_id_t) = (0, ptr::null_mut());
        // SAFETY: all that is pointed to lives until the call returns, is of the lengths that are given, and is not written
        // to except `minor` and `credentials`. Null means that the other results are not wanted.
        let major = unsafe {
            gss_acquire_cred_from(
                &raw mut minor,
                name.as_ref().map_or(ptr::null_mut(), |name| name.0),
                _GSS_C_INDEFINITE,
                &raw mut mechanisms,
                GSS_C_INITIATE as gss_cred_usage_t,
                &raw const store,
                &raw mut credentials,
                ptr::null_mut(),
                ptr::null_mut(),
            )
        };
        succeeded(major, minor)?;
        // SAFETY: the library has handed them over just now, and nobody else has them.
        Ok(unsafe { Cred::from_c(credentials) })
    }
}

/// The library's form of a principal.
struct PrincipalName(gss_name_t);

impl PrincipalName {
    fn new(principal: &str) -> Result<Self, Error> {
        let mut text = gss_buffer_desc {
            length: principal.len(),
            value: principal.as_ptr().cast::<c_void>().cast_mut(),
        };
        let mut kind = oid(KRB5_PRINCIPAL);
        let (mut minor, mut name): (u32, gss_name_t) = (0, ptr::null_mut());
        // SAFETY: the text and the kind live until the call returns, are of the lengths that are given, and are not written
        // to.
        let major = unsafe { gss_import_name(&raw mut minor, &raw mut text, &raw mut kind, &raw mut name) };
        succeeded(major, minor)?;
        Ok(Self(name))
    }
}

impl Drop for PrincipalName {
    fn drop(&mut self) {
        let mut minor = 0;
        // SAFETY: the name is the library's, and is used no more.
        unsafe { gss_release_name(&raw mut minor, &raw mut self.0) };
    }
}

/// The library only reads what it is given by it.
fn oid(bytes: &'static [u8]) -> gss_OID_desc {
    let length = u32::try_from(bytes.len()).unwrap_or(0);
    gss_OID_desc { length, elements: bytes.as_ptr().cast::<c_void>().cast_mut() }
}

fn succeeded(major: u32, minor: u32) -> Result<(), Error> {
    if major == GSS_S_COMPLETE {
        return Ok(());
    }
    Err(Error { major: MajorFlags::from_bits_retain(major), minor })
}
