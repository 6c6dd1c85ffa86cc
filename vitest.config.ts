import { defineConfig } from 'vitest/config';

// Real processes and real sockets share two cores: few files at a time, generous limits, no retries.
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    pool: 'forks',
    maxWorkers: 2,
    retry: 0,
  },
});
