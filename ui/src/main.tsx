import './styles/mantine';
import './styles/global.css';
import { DirectionProvider, MantineProvider, useDirection } from '@mantine/core';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { setNonce } from 'get-nonce';
import { StrictMode, useEffect, type ReactNode } from 'react';
import { createRoot } from 'react-dom/client';
import { Refused } from './api/problem';
import { router } from './app/router';
import { resolver, theme } from './app/theme';
import { startTexts, useT } from './i18n';

// The page's policy lets in only styles that carry this response's nonce.
const nonce = document.querySelector<HTMLMetaElement>('meta[name="csp-nonce"]')?.content ?? '';
setNonce(nonce);

const client = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 15_000,
      gcTime: 5 * 60_000,
      refetchOnWindowFocus: true,
      // What is refused stays refused; what did not arrive may.
      retry: (tries, error) => !(error instanceof Refused && error.status < 500) && tries < 3,
      retryDelay: (tries) => Math.min(500 * 2 ** tries, 5000),
    },
    mutations: { retry: false, networkMode: 'always' },
  },
});

function Directed({ children }: { children: ReactNode }) {
  const { dir } = useT();
  const { setDirection } = useDirection();
  useEffect(() => setDirection(dir), [dir, setDirection]);
  return children;
}

await startTexts();

createRoot(document.getElementById('root') as HTMLElement).render(
  <StrictMode>
    <DirectionProvider initialDirection={document.documentElement.dir === 'rtl' ? 'rtl' : 'ltr'} detectDirection={false}>
      <MantineProvider theme={theme} cssVariablesResolver={resolver} defaultColorScheme="auto" getStyleNonce={() => nonce}>
        <Directed>
          <QueryClientProvider client={client}>
            <RouterProvider router={router} />
          </QueryClientProvider>
        </Directed>
      </MantineProvider>
    </DirectionProvider>
  </StrictMode>,
);
