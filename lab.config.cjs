// Merged into the configuration of jupyter-builder.
const { DefinePlugin } = require('@rspack/core');
const { version } = require('./package.json');

module.exports = { plugins: [new DefinePlugin({ TORCHTWIN_VERSION: JSON.stringify(version) })] };
