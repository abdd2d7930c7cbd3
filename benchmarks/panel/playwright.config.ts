import { defineConfig } from '@playwright/test';

import base from '../../tests/e2e/playwright.config';

export default defineConfig({
  ...base,
  testDir: '.',
  testMatch: '*.bench.ts',
  testIgnore: [],
  outputDir: '../../test-results',
  globalSetup: '../../tests/e2e/server.ts',
  timeout: 600_000,
  reporter: 'list',
  use: { ...base.use, trace: 'off' },
});
