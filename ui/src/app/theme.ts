import { createTheme, type CSSVariablesResolver, type MantineColorsTuple } from '@mantine/core';

/** Petrol: the colour of a letter box in the evening. Shade 8 carries white text at 8:1. */
const barid: MantineColorsTuple = [
  '#edf6f7', '#d6eaec', '#aed5d9', '#82bec5', '#5aa8b1', '#3a919c', '#257a86', '#186471', '#115562', '#0c4650',
];
/** Neutrals with a breath of the same petrol. */
const gray: MantineColorsTuple = [
  '#f6f8f8', '#edf1f1', '#e1e7e8', '#cfd8da', '#b3bfc3', '#87959b', '#56666d', '#435259', '#2f3c42', '#1c272b',
];
const dark: MantineColorsTuple = [
  '#dbe4e6', '#b9c6ca', '#94a5aa', '#6f8288', '#3f5157', '#2e3e44', '#223036', '#172327', '#111b1f', '#0b1316',
];
const amber: MantineColorsTuple = [
  '#fdf5e6', '#f9e6c4', '#f3ce8f', '#ecb457', '#e49c2c', '#d18616', '#b06d0c', '#8c550a', '#74460a', '#5a3608',
];
const red: MantineColorsTuple = [
  '#fdf0ee', '#fadbd6', '#f3b3aa', '#eb8779', '#e36353', '#d3483a', '#bb392d', '#a02d24', '#87231c', '#6d1a15',
];
const green: MantineColorsTuple = [
  '#edf8f0', '#d4eedc', '#a8dcb8', '#78c892', '#52b574', '#369f5b', '#27854a', '#1d6f3d', '#175d33', '#114a28',
];

export const theme = createTheme({
  primaryColor: 'barid',
  primaryShade: { light: 8, dark: 7 },
  autoContrast: true,
  luminanceThreshold: 0.32,
  colors: { barid, gray, dark, amber, red, green },
  fontFamily: '"Figtree", "IBM Plex Sans Arabic", system-ui, -apple-system, "Segoe UI", sans-serif',
  fontFamilyMonospace: 'ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, monospace',
  headings: { fontWeight: '600', sizes: { h1: { fontSize: '1.25rem', lineHeight: '1.4' }, h2: { fontSize: '1.05rem', lineHeight: '1.4' }, h3: { fontSize: '0.95rem', lineHeight: '1.4' } } },
  fontSizes: { xs: '0.75rem', sm: '0.845rem', md: '0.925rem', lg: '1.05rem', xl: '1.2rem' },
  defaultRadius: 'md',
  cursorType: 'pointer',
  respectReducedMotion: true,
  components: {
    Button: { defaultProps: { size: 'xs' } },
    ActionIcon: { defaultProps: { variant: 'subtle', size: 'md' } },
    TextInput: { defaultProps: { size: 'sm' } },
    Select: { defaultProps: { size: 'sm', allowDeselect: false } },
    Tooltip: { defaultProps: { openDelay: 350, withArrow: true, events: { hover: true, focus: true, touch: false } } },
    // A first item is a better place to begin at than an element that is none.
    Menu: { defaultProps: { withInitialFocusPlaceholder: false } },
    Modal: { defaultProps: { centered: true, overlayProps: { backgroundOpacity: 0.35 } } },
    Drawer: { defaultProps: { position: 'right', overlayProps: { backgroundOpacity: 0.25 } } },
    Table: { defaultProps: { verticalSpacing: 6, horizontalSpacing: 'sm' } },
    Anchor: { defaultProps: { underline: 'hover' } },
  },
});

/** Colours by purpose. Every pair of text and ground is at least 4.5:1; `tests/colours.mjs` counts them. */
export const tones = {
  light: {
    ground: '#f3f6f6', surface: '#ffffff', raised: '#ffffff', line: '#dde4e6', text: '#16252a', soft: '#536269',
    nav: '#0c3b44', 'nav-text': '#d5e6e8', 'nav-soft': '#9fc0c5', 'nav-here': '#175764',
    accent: '#115562', selected: '#e3f0f1', hover: '#f1f5f5',
    'neutral-bg': '#e9eeef', 'neutral-fg': '#3a4a51', 'good-bg': '#dff2e5', 'good-fg': '#175d33', 'warn-bg': '#fbeccd', 'warn-fg': '#74460a',
    'bad-bg': '#fbe0dc', 'bad-fg': '#8f241c', 'info-bg': '#dcedef', 'info-fg': '#0f4d59', 'note-bg': '#fff4d6', 'note-fg': '#5e4408',
    'bubble-in': '#ffffff', 'bubble-in-fg': '#16252a', 'bubble-bot': '#dcedef', 'bubble-bot-fg': '#0c3b44', 'bubble-person': '#115562', 'bubble-person-fg': '#ffffff',
    thread: '#eaf0f0', read: '#1470a8', stamp: '#8a480d',
    wa: '#efeae2', 'wa-out': '#d9fdd3', 'wa-fg': '#111b21', 'wa-soft': '#54656f', 'wa-in': '#ffffff', 'wa-bar': '#075e54', 'wa-bar-fg': '#ffffff',
  },
  dark: {
    ground: '#0d1619', surface: '#132024', raised: '#182830', line: '#26383e', text: '#e2eaec', soft: '#9fb0b6',
    nav: '#0a1215', 'nav-text': '#cfdfe2', 'nav-soft': '#8aa4aa', 'nav-here': '#17353c',
    accent: '#7cc4cd', selected: '#17353c', hover: '#1a2a2f',
    'neutral-bg': '#263439', 'neutral-fg': '#c7d3d6', 'good-bg': '#143524', 'good-fg': '#8fdbab', 'warn-bg': '#3b2a0c', 'warn-fg': '#f2c879',
    'bad-bg': '#431c18', 'bad-fg': '#f7b0a6', 'info-bg': '#14353c', 'info-fg': '#9fd8df', 'note-bg': '#3a3113', 'note-fg': '#f0dc9b',
    'bubble-in': '#1d2c31', 'bubble-in-fg': '#e2eaec', 'bubble-bot': '#14353c', 'bubble-bot-fg': '#d4ecef', 'bubble-person': '#1f6a76', 'bubble-person-fg': '#ffffff',
    thread: '#0f1a1d', read: '#6cc1f5', stamp: '#e8a35c',
    wa: '#0b141a', 'wa-out': '#005c4b', 'wa-fg': '#e9edef', 'wa-soft': '#c5d2d8', 'wa-in': '#202c33', 'wa-bar': '#1f2c33', 'wa-bar-fg': '#e9edef',
  },
} as const;

const variables = (set: Record<string, string>) => Object.fromEntries(Object.entries(set).map(([name, value]) => [`--b-${name}`, value]));

export const resolver: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    ...variables(tones.light),
    '--mantine-color-body': tones.light.surface,
    '--mantine-color-text': tones.light.text,
    '--mantine-color-dimmed': tones.light.soft,
    '--mantine-color-placeholder': '#66757c',
    '--mantine-color-error': tones.light['bad-fg'],
    '--mantine-color-anchor': tones.light.accent,
  },
  dark: {
    ...variables(tones.dark),
    '--mantine-color-body': tones.dark.surface,
    '--mantine-color-text': tones.dark.text,
    '--mantine-color-dimmed': tones.dark.soft,
    '--mantine-color-placeholder': '#8b9da3',
    '--mantine-color-error': tones.dark['bad-fg'],
    '--mantine-color-anchor': tones.dark.accent,
  },
});
