mod broker;
mod denied;
mod laws;
mod progress;
mod scripts;
