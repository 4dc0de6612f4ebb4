mod corpus;
mod hyper_oracle;
mod properties;
mod transcripts;
