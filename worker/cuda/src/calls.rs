//! Calls of CUDA's libraries: the one file of this crate that opens `unsafe_code`.

use std::ffi::{CStr, c_char, c_int, c_uint};

use libloading::Library;

/// The driver's library, and that of cuDNN, as ONNX Runtime loads them.
const DRIVER: &str = "libcuda.so.1";
const CUDNN: &str = "libcudnn.so.9";
/// Numbers of the attributes of a device that are its compute capability.
const MAJOR: c_int = 75;
const MINOR: c_int = 76;
/// The longest name of a GPU.
const NAME_BYTES: usize = 256;
const SUCCESS: c_int = 0;

/// What the driver says of a GPU, in its own numbers.
pub(super) struct Told {
    pub(super) name: Option<String>,
    /// Major and minor number of its compute capability.
    pub(super) capability: Option<(c_int, c_int)>,
    /// The newest CUDA that the driver is for: 13000 is 13.0.
    pub(super) version: Option<c_int>,
}

/// Asks the driver for a GPU; none without a driver or such a GPU.
#[expect(unsafe_code, reason = "the driver is a library in C")]
pub(super) fn driver(number: u8) -> Option<Told> {
    // SAFETY: what the driver does as it is loaded asks nothing of this process. Whoever computes on a GPU has loaded it
    // before, by ONNX Runtime, so that it stays when it is closed here.
    let driver = unsafe { Library::new(DRIVER) }.ok()?;
    // SAFETY: so CUDA declares these functions.
    let (init, get_version, get, get_name, get_attribute) = unsafe {
        (
            driver
                .get::<unsafe extern "C" fn(c_uint) -> c_int>("cuInit")
                .ok()?,
            driver
                .get::<unsafe extern "C" fn(*mut c_int) -> c_int>("cuDriverGetVersion")
                .ok()?,
            driver
                .get::<unsafe extern "C" fn(*mut c_int, c_int) -> c_int>("cuDeviceGet")
                .ok()?,
            driver
                .get::<unsafe extern "C" fn(*mut c_char, c_int, c_int) -> c_int>("cuDeviceGetName")
                .ok()?,
            driver
                .get::<unsafe extern "C" fn(*mut c_int, c_int, c_int) -> c_int>(
                    "cuDeviceGetAttribute",
                )
                .ok()?,
        )
    };
    let is_done = |status: c_int| status == SUCCESS;
    let (mut version, mut gpu) = (0, 0);
    // SAFETY: what they write to is there for as long as they write.
    let is_there = unsafe { is_done(init(0)) && is_done(get(&raw mut gpu, number.into())) };
    if !is_there {
        return None;
    }
    // SAFETY: as above.
    let has_version = unsafe { is_done(get_version(&raw mut version)) };
    let mut name = [0_u8; NAME_BYTES];
    let room = c_int::try_from(NAME_BYTES - 1).ok()?;
    // SAFETY: as above; there is room for as many bytes, and one more that stays zero.
    let has_name = unsafe { is_done(get_name(name.as_mut_ptr().cast(), room, gpu)) };
    let attribute = |which: c_int| {
        let mut value = 0;
        // SAFETY: as above.
        let is_known = unsafe { is_done(get_attribute(&raw mut value, which, gpu)) };
        is_known.then_some(value)
    };
    let name = CStr::from_bytes_until_nul(&name).ok().filter(|_| has_name);
    Some(Told {
        name: name.map(|name| name.to_string_lossy().into_owned()),
        capability: attribute(MAJOR).zip(attribute(MINOR)),
        version: has_version.then_some(version),
    })
}

/// Asks cuDNN for its version; none without it. 91400 is 9.14.0.
#[expect(unsafe_code, reason = "cuDNN is a library in C")]
pub(super) fn cudnn() -> Option<usize> {
    // SAFETY: what cuDNN does as it is loaded asks nothing of this process.
    let cudnn = unsafe { Library::new(CUDNN) }.ok()?;
    // SAFETY: so cuDNN declares this function, which reads nothing.
    let version = unsafe {
        let version = cudnn
            .get::<unsafe extern "C" fn() -> usize>("cudnnGetVersion")
            .ok()?;
        version()
    };
    Some(version)
}
