export const CLEAR_MESSAGE: RegExp;
