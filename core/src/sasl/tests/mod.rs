mod mechanisms;
mod vault;
