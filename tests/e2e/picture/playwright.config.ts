import { defineConfig } from '@playwright/test';

import base from '../playwright.config';

export default defineConfig({
  ...base,
  testDir: '.',
  testIgnore: [],
  outputDir: '../../../test-results',
  globalSetup: '../server.ts',
  reporter: 'list',
  use: { ...base.use, viewport: { width: 1280, height: 860 }, deviceScaleFactor: 2 },
});
