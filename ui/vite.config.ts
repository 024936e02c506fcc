import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

// `npm run dev` talks to a demo that runs beside it.
const engine = process.env.BARID_URL ?? 'http://127.0.0.1:8080';

export default defineConfig({
  plugins: [react()],
  build: {
    target: 'es2022',
    // Nothing inline: the page's policy allows scripts and styles from its own address only.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    manifest: true,
    cssCodeSplit: true,
    rolldownOptions: {
      output: {
        // What every page stands on is one file: sixty small ones compress worse and arrive later.
        codeSplitting: {
          groups: [{ name: 'ground', test: /node_modules[\\/](react|react-dom|scheduler|openapi-fetch|@tanstack[\\/](react-query|query-core|react-router|router-core|history|react-store|store))[\\/]/ }],
        },
      },
    },
    chunkSizeWarningLimit: 700,
  },
  server: {
    proxy: { '/api': engine, '/_sim': engine, '/readyz': engine, '/start': engine },
  },
});
